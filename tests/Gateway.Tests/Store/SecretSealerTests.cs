using System.Security.Cryptography;
using System.Text;
using Gateway.Store;
using Gateway.Store.Sealing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.Store;

public sealed class SecretSealerTests
{
    private static readonly byte[] Plain = Encoding.UTF8.GetBytes("the model's thoughts ž𝄞");
    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);
    private static readonly byte[] NewKey = RandomNumberGenerator.GetBytes(32);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public void Open_OwnBlob_ReturnsThePlainText(int length)
    {
        var sealer = new SecretSealer([Key]);
        var plain = RandomNumberGenerator.GetBytes(length);

        var blob = sealer.Seal("acme", "reasoning", plain);

        Assert.Equal(plain, sealer.Open("acme", "reasoning", blob));
        Assert.NotEqual(blob, sealer.Seal("acme", "reasoning", plain));
    }

    [Fact]
    public void Open_OtherTenantPurposeOrKey_IsNull()
    {
        var sealer = new SecretSealer([Key]);
        var blob = sealer.Seal("acme", "reasoning", Plain);

        Assert.Null(sealer.Open("acme2", "reasoning", blob));
        Assert.Null(sealer.Open("acme", "tool", blob));
        Assert.Null(sealer.Open("acm", "ereasoning", blob));
        Assert.Null(new SecretSealer([NewKey]).Open("acme", "reasoning", blob));
        Assert.Null(new SecretSealer([]).Open("acme", "reasoning", blob));
    }

    [Fact]
    public void Open_AfterAKeyChange_OpensOldAndSealsNew()
    {
        var old = new SecretSealer([Key]).Seal("acme", "reasoning", Plain);
        var changed = new SecretSealer([NewKey, Key]);

        Assert.Equal(Plain, changed.Open("acme", "reasoning", old));
        Assert.Equal(Plain, new SecretSealer([NewKey]).Open("acme", "reasoning", changed.Seal("acme", "reasoning", Plain)));
    }

    [Fact]
    public void Open_AnyChangedOrCutBlob_IsNull()
    {
        var sealer = new SecretSealer([Key]);
        var blob = sealer.Seal("acme", "reasoning", Plain);

        for (var n = 0; n < blob.Length; n++)
        {
            Assert.Null(sealer.Open("acme", "reasoning", blob[..n]));
            Assert.Null(sealer.Open("acme", "reasoning", blob[..n] + (blob[n] == 'A' ? 'B' : 'A') + blob[(n + 1)..]));
        }

        foreach (var junk in (string[])["", " ", "é", "gAAAAA==", new string('A', 200), "\0", "----"])
        {
            Assert.Null(sealer.Open("acme", "reasoning", junk));
        }
    }

    [Fact]
    public void Create_RedisWithoutKeys_CanNotSeal()
    {
        var sealer = SecretSealer.Create(new SecretsOptions(), new StoreOptions { Redis = "localhost" }, NullLogger.Instance);

        Assert.False(sealer.CanSeal);
        Assert.Throws<InvalidOperationException>(() => sealer.Seal("acme", "reasoning", Plain));
    }

    [Fact]
    public void Create_SqliteWithoutKeys_MakesAKeyFileForItsOwnerAndUsesItAgain()
    {
        var folder = Path.Combine(Path.GetTempPath(), "gateway-sealer-" + Guid.NewGuid().ToString("N"));
        var store = new StoreOptions { Path = folder };

        var blob = SecretSealer.Create(new SecretsOptions(), store, NullLogger.Instance).Seal("acme", "reasoning", Plain);

        Assert.Equal(Plain, SecretSealer.Create(new SecretsOptions(), store, NullLogger.Instance).Open("acme", "reasoning", blob));
        var file = Assert.Single(Directory.GetFiles(folder));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        File.WriteAllText(file, "junk");
        Assert.Throws<StoreUnavailableException>(() => SecretSealer.Create(new SecretsOptions(), store, NullLogger.Instance));
        Directory.Delete(folder, recursive: true);
    }
}
