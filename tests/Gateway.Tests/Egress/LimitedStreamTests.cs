using System.Text;
using Gateway.Egress;

namespace Gateway.Tests.Egress;

public sealed class LimitedStreamTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(10, 10, true)]
    [InlineData(11, 10, false)]
    public async Task Read_WholeBody_MayBeAsLongAsTheLimit(int length, int limit, bool fits) =>
        Assert.Equal(fits, await FitsAsync(new string('x', length), limit, perEvent: false, 4));

    [Theory]
    [InlineData("data: 12\n\ndata: 34\n\n", 10, true)] // each 10 bytes with its blank line
    [InlineData("data: 12\n\ndata: 34\n\n", 9, false)]
    [InlineData("data: 12\r\n\r\ndata: 34\r\n\r\n", 12, true)]
    [InlineData("data: 12\r\rdata: 34\r\r", 10, true)]
    [InlineData(": 1\n\n: 2\n\n: 3\n\n: 4\n\n", 5, true)]
    [InlineData("data: 1\ndata: 2\ndata: 3\n\n", 24, false)]
    [InlineData("data: 1\ndata: 2\ndata: 3\n\n", 25, true)]
    [InlineData("\n\n\n\n\n\n\n\n", 2, true)]
    [InlineData("data: 1\r\ndata: 2\r\ndata: 3\r\n", 20, false)] // CR LF is one line end: no blank line here
    public async Task Read_EventStream_LimitsEachEventAtEveryCut(string stream, int limit, bool fits)
    {
        for (var chunk = 1; chunk <= stream.Length; chunk++)
        {
            Assert.Equal(fits, await FitsAsync(stream, limit, perEvent: true, chunk));
        }
    }

    [Fact]
    public void Read_Synchronously_CountsToo()
    {
        using var limited = new LimitedStream(new MemoryStream(new byte[11]), 10, perEvent: false, () => new IOException("too large"));

        Assert.Throws<IOException>(() => limited.Read(new byte[20], 0, 20));
    }

    private static async Task<bool> FitsAsync(string text, int limit, bool perEvent, int chunk)
    {
        await using var limited = new LimitedStream(new MemoryStream(Encoding.ASCII.GetBytes(text)), limit, perEvent, () => new IOException("too large"));
        var read = 0;
        try
        {
            var buffer = new byte[chunk];
            int count;
            while ((count = await limited.ReadAsync(buffer, Cancellation)) > 0)
            {
                read += count;
            }

            Assert.Equal(text.Length, read);
            return true;
        }
        catch (IOException e)
        {
            Assert.Equal("too large", e.Message);
            return false;
        }
    }
}
