using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace PythonTool;

/// <summary>The command that makes a sandbox: bubblewrap with the walls, and the runner inside.</summary>
internal static class SandboxCommand
{
    public static ProcessStartInfo Create(PythonToolOptions options)
    {
        var command = new ProcessStartInfo(options.Bubblewrap) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        // Nothing of the server's environment, its key among it, is to be found even in bubblewrap's own.
        command.Environment.Clear();
        if (Environment.IsPrivilegedProcess)
        {
            command.UserName = options.User;
        }

        void Add(params ReadOnlySpan<string> arguments)
        {
            foreach (var argument in arguments)
            {
                command.ArgumentList.Add(argument);
            }
        }

        // Every namespace there is. As the runner is process 1 of its own, its end is the end of all.
        Add("--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1", "--die-with-parent", "--new-session");
        Add("--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL");
        Add("--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--setenv", "HOME", "/sandbox", "--setenv", "LANG", "C.UTF-8");
        // Numerical libraries start a thread for each processor and reserve memory for it: on a large machine, more than a sandbox may have.
        Add("--setenv", "OMP_NUM_THREADS", "2", "--setenv", "OPENBLAS_NUM_THREADS", "2");

        // Python and its libraries, and nothing else of the host. The linker's cache and the alternatives are how some libraries are found.
        Add("--ro-bind", "/usr", "/usr");
        foreach (var path in (ReadOnlySpan<string>)["/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives"])
        {
            Add("--ro-bind-try", path, path);
        }

        // What can be written is in memory, of bounded size, and gone with the sandbox.
        var size = options.DiskBytes.ToString(CultureInfo.InvariantCulture);
        Add("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev");
        foreach (var path in (ReadOnlySpan<string>)["/dev/shm", "/tmp", "/sandbox"])
        {
            Add("--size", size, "--tmpfs", path);
        }

        foreach (var path in options.ReadOnlyPaths)
        {
            Add("--ro-bind", path, path);
        }

        Add("--remount-ro", "/", "--chdir", "/sandbox");
        Add(options.Python, "-I", "-B", "-c", Scripts.Runner, JsonSerializer.Serialize(RunnerLimits.From(options), RunnerJson.Default.RunnerLimits));
        return command;
    }
}
