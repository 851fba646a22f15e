using System.Runtime.InteropServices;
using Gateway.Load.Mock;
using Gateway.Load.Run;

namespace Gateway.Load;

/// <summary>The load bench: <c>mock</c>, <c>tool-server</c>, <c>yarp</c>, <c>run</c> and <c>list</c>. Exit codes: 0 done, 1 the run failed, 2 wrong usage.</summary>
internal static class LoadProgram
{
    private const string Usage = """
        Usage: Gateway.Load <verb> [--name value ...]

          mock          A fast Chat Completions server on 127.0.0.1 with fixed answers.
          tool-server   An MCP server on 127.0.0.1 with one tool, which waits.
          yarp          A bare YARP passthrough to the mock: the yardstick.
          run           Starts the mocks, yarp (twice), the gateway in its variants, and measures them in interleaved rounds.
          list          Fills a Redis with the responses of one tenant, and reads all of them from a gateway, page by page.

        `<verb> --help` lists the options of a verb.
        """;

    private static async Task<int> Main(string[] args)
    {
        using var stopping = new CancellationTokenSource();
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            switch (args.FirstOrDefault())
            {
                case "mock" when MockOptions.Read(args[1..]) is { } options:
                    await MockServer.RunAsync(options, stopping.Token);
                    return 0;
                case "tool-server" when ToolServerOptions.Read(args[1..]) is { } options:
                    await ToolServer.RunAsync(options, stopping.Token);
                    return 0;
                case "yarp" when YarpOptions.Read(args[1..]) is { } options:
                    await YarpServer.RunAsync(options, stopping.Token);
                    return 0;
                case "run" when RunOptions.Read(args[1..]) is { } options:
                    await LoadRun.RunAsync(options, stopping.Token);
                    return 0;
                case "list" when ListOptions.Read(args[1..]) is { } options:
                    await ListRun.RunAsync(options, stopping.Token);
                    return 0;
                case "mock" or "tool-server" or "yarp" or "run" or "list":
                    return 0;
                case "--help" or "-h" or "help":
                    Console.WriteLine(Usage);
                    return 0;
                default:
                    await Console.Error.WriteLineAsync(Usage);
                    return 2;
            }
        }
        catch (UsageException wrong)
        {
            await Console.Error.WriteLineAsync(wrong.Message);
            return 2;
        }
        catch (LoadException failed)
        {
            await Console.Error.WriteLineAsync(failed.Message);
            return 1;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Stopped. Every process that was started has been ended.");
            return 1;
        }

        // The default action would end this process before its children.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }
}
