using System.Text;
using Gateway.Runs;

namespace Gateway.Tests.Runs;

public sealed class RunTailTests
{
    [Fact]
    public void Read_GivesWhatTheStoreTook_AndLeavesTheRestToIt()
    {
        var tail = new RunTail(end: 2);

        Assert.Null(tail.Read(0));
        Assert.Empty(tail.Read(2)!);
        Assert.Null(tail.Read(3));

        tail.Add(2, [Event("c"), Event("d")]);

        Assert.Null(tail.Read(1));
        Assert.Equal(["c", "d"], Texts(tail.Read(2)));
        Assert.Equal(["d"], Texts(tail.Read(3)));
        Assert.Empty(tail.Read(4)!);
    }

    [Fact]
    public void Close_LeavesEverythingToTheStore()
    {
        var tail = new RunTail(end: 0);
        tail.Add(0, [Event("a")]);

        tail.Close();

        Assert.True(tail.IsClosed);
        Assert.Null(tail.Read(0));
        Assert.Null(tail.Read(1));
    }

    [Fact]
    public void Watch_IsToldOfEachChange_UntilDisposed()
    {
        var tail = new RunTail(end: 0);
        var wakes = 0;
        var watch = tail.Watch(() => wakes++);

        tail.Add(0, [Event("a")]);
        tail.Close();
        watch.Dispose();
        tail.Add(1, [Event("b")]);

        Assert.Equal(2, wakes);
    }

    [Fact]
    public void Memory_IsBoundedInEventsAndInBytes()
    {
        var many = new RunTail(end: 0);
        many.Add(0, [.. Enumerable.Range(0, 600).Select(n => Event($"{n}"))]);
        Assert.Null(many.Read(600 - 513));
        Assert.Equal(512, many.Read(600 - 512)!.Count);

        for (var n = 600; n < 3_000; n += 7)
        {
            many.Add(n, [.. Enumerable.Range(n, 7).Select(i => Event($"{i}"))]);
            Assert.Equal([$"{n + 5}", $"{n + 6}"], Texts(many.Read(n + 5)));
            Assert.Equal($"{n + 7 - 512}", Texts(many.Read(n + 7 - 512))[0]);
            Assert.Null(many.Read(n + 7 - 513));
        }

        var large = new RunTail(end: 0);
        large.Add(0, [Event(new string('x', 200 * 1024)), Event(new string('y', 100 * 1024))]);
        Assert.Null(large.Read(0));
        Assert.Single(large.Read(1)!);

        large.Add(2, [Event(new string('z', 300 * 1024))]);
        Assert.Null(large.Read(2));
        Assert.Empty(large.Read(3)!);
    }

    private static ReadOnlyMemory<byte> Event(string text) => Encoding.UTF8.GetBytes(text);

    private static string[] Texts(IReadOnlyList<ReadOnlyMemory<byte>>? events) => [.. events!.Select(json => Encoding.UTF8.GetString(json.Span))];
}
