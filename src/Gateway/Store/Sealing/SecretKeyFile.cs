using System.Security.Cryptography;
using Gateway.Store.Sqlite;

namespace Gateway.Store.Sealing;

/// <summary>The key that the embedded store makes for itself: one line of base64 that only the file's owner may read.</summary>
internal static class SecretKeyFile
{
    private const string Name = "secrets.key";

    /// <exception cref="StoreUnavailableException">The file can not be read or made, or holds no key.</exception>
    public static byte[] ReadOrMake(string folder, ILogger logger)
    {
        var file = Path.Combine(Path.GetFullPath(folder), Name);
        try
        {
            return File.Exists(file) ? Read(file) : Make(folder, file, logger);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"{StoreOptions.Section}:Path is '{folder}'. Its {Name} can not be used: {e.Message}", e);
        }
    }

    private static byte[] Read(string file)
    {
        var key = new byte[SecretsOptions.KeyBytes + 3];
        return Convert.TryFromBase64String(File.ReadAllText(file).Trim(), key, out var length) && length == SecretsOptions.KeyBytes
            ? key[..length]
            : throw new StoreUnavailableException($"'{file}' does not hold 32 bytes in base64. Restore it, or remove it to make a new one.");
    }

    /// <summary>Written beside and moved, so that a crash leaves no half key.</summary>
    private static byte[] Make(string folder, string file, ILogger logger)
    {
        StoreFolder.Make(folder);
        var key = RandomNumberGenerator.GetBytes(SecretsOptions.KeyBytes);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var unfinished = file + ".new";
        using (var stream = new FileStream(unfinished, options))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(key) + "\n"));
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, file);
        StoreLog.KeyFileMade(logger, file);
        return key;
    }
}
