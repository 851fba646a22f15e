using System.Buffers;
using System.Text;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Tests.Json;

public sealed class PooledBufferTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1024)]
    public void Append_BeyondTheCapacity_KeepsWhatIsThere(int capacity)
    {
        using var buffer = new PooledBuffer(capacity);
        var expected = new StringBuilder();
        for (var i = 0; i < 2000; i++)
        {
            buffer.Append(Encoding.ASCII.GetBytes($"{i},"));
            buffer.Append((byte)'.');
            expected.Append(i).Append(",.");
        }

        Assert.Equal(expected.Length, buffer.Length);
        Assert.Equal(expected.ToString(), Text(buffer));
        Assert.Equal(expected.ToString(), Encoding.ASCII.GetString(buffer.WrittenMemory.Span));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public void Append_Number_IsWrittenInDigits(long value)
    {
        using var buffer = new PooledBuffer(1);

        buffer.Append(value);

        Assert.Equal($"{value}", Text(buffer));
    }

    [Fact]
    public void AppendString_Text_IsQuotedEscapedOrNull()
    {
        using var buffer = new PooledBuffer(1);

        buffer.AppendString((string?)null);
        buffer.AppendString("a\"é😀");
        buffer.AppendString("b\\\n"u8);
        buffer.AppendEscaped("\t"u8);

        Assert.Equal("""null"a\"é😀""b\\\n"\t""", Text(buffer));
    }

    [Fact]
    public void Truncate_ForgetsTheRestAndRefusesMoreThanThereIs()
    {
        using var buffer = new PooledBuffer();
        buffer.Append("abcdef"u8);

        buffer.Truncate(3);
        buffer.Append("x"u8);

        Assert.Equal("abcx", Text(buffer));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Truncate(5));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Truncate(-1));
        buffer.Clear();
        Assert.Equal(0, buffer.Length);
    }

    [Fact]
    public void BufferWriter_AlwaysGivesRoom()
    {
        using var buffer = new PooledBuffer(16);
        for (var i = 0; i < 1000; i++)
        {
            Assert.False(((IBufferWriter<byte>)buffer).GetSpan().IsEmpty);
            Assert.True(buffer.GetMemory(100).Length >= 100);
            buffer.GetSpan(7).Fill((byte)'z');
            buffer.Advance(7);
        }

        Assert.Equal(new string('z', 7000), Text(buffer));
    }

    [Fact]
    public void Dispose_Twice_IsHarmless()
    {
        var buffer = new PooledBuffer();
        buffer.Append("x"u8);

        buffer.Dispose();
        buffer.Dispose();

        Assert.Equal(0, buffer.Length);
        Assert.True(buffer.WrittenSpan.IsEmpty);
    }

    private static string Text(PooledBuffer buffer) => Encoding.UTF8.GetString(buffer.WrittenSpan);
}
