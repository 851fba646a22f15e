using Gateway.Store;

namespace Gateway.Tests.Store;

public sealed class CodecTests
{
    [Fact]
    public void Turn_CutAnywhere_IsDamaged()
    {
        var bytes = TurnCodec.Encode(Commits.Start("acme", DateTimeOffset.UtcNow, new string('x', 300)).Turn);

        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => TurnCodec.Decode(bytes.AsMemory(0, length)));
        }

        Assert.NotNull(TurnCodec.Decode(bytes));
    }

    [Fact]
    public void Turn_Erased_IsNull() => Assert.Null(TurnCodec.Decode(TurnCodec.Erased));

    [Theory]
    [InlineData(new byte[] { 2, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 2 })]
    [InlineData(new byte[] { 1, 7, 0, 0, 0 })]
    public void Turn_OfANewerVersion_IsSaidToBe(byte[] element) =>
        Assert.Contains("upgrade", Assert.Throws<NewerFormatException>(() => TurnCodec.Decode(element)).Message, StringComparison.Ordinal);

    [Fact]
    public void Record_OfANewerVersion_IsSaidToBe() =>
        Assert.Contains("upgrade", Assert.Throws<NewerFormatException>(() => RecordCodec.Decode(ResponseId.NewChain(), new byte[] { 2, 1 })).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 0 })]
    [InlineData(new byte[] { (byte)'j', (byte)'u', (byte)'n', (byte)'k', 0 })]
    [InlineData(new byte[] { 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0, 0 })]
    [InlineData(new byte[] { 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0 })]
    [InlineData(new byte[] { 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0 })]
    public void Turn_OfNoVersionOrWithAbsurdCounts_IsDamaged(byte[] element) =>
        Assert.Throws<InvalidDataException>(() => TurnCodec.Decode(element));

    [Fact]
    public void Record_CutInItsHead_IsDamaged()
    {
        var commit = Commits.Start("acme", DateTimeOffset.UtcNow);
        var head = RecordCodec.EncodeHead(commit, CommitPlan.For(commit).Appended);

        for (var length = 0; length < head.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => RecordCodec.Decode(commit.Id, head.AsMemory(0, length)));
        }
    }

    [Fact]
    public void Record_LongPathAndLargeCounts_ComeBack()
    {
        var commit = Commits.Start("acme", DateTimeOffset.UtcNow) with { Status = "completed" };
        var path = Enumerable.Range(0, 500).Select(n => new PathSegment(ResponseId.NewChain().Chain, "0", n * 4_000_000)).ToArray();

        var record = RecordCodec.Decode(commit.Id, (byte[])[.. RecordCodec.EncodeHead(commit, path), .. commit.Envelope.Span]);

        Assert.Equal(path, record.Path);
        Assert.Equal(Commits.Text(commit.Envelope), Commits.Text(record.Envelope));
    }
}
