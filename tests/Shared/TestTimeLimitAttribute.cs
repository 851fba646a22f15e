using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using Xunit.v3;

[assembly: Testing.TestTimeLimit]

namespace Testing;

/// <summary>
/// No test goes on for ever. After <see cref="Limit"/> its cancellation token is cancelled, so that it fails where it waits; one that takes no
/// notice is named, and ends the run.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class TestTimeLimitAttribute : BeforeAfterTestAttribute
{
    /// <summary>Many times what the slowest test takes, on a machine that is busy with other things.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);
    private static readonly ConcurrentDictionary<string, Running> Tests = new();

    // A thread and no timer: a test that occupies the thread pool would hold that up too.
    private static readonly Lazy<Thread> Watch = new(static () =>
    {
        var thread = new Thread(WatchTests) { IsBackground = true, Name = nameof(TestTimeLimitAttribute) };
        thread.Start();
        return thread;
    });

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        _ = Watch.Value;
        Tests[test.UniqueID] = new Running(test.TestDisplayName, Stopwatch.GetTimestamp(), TestContext.Current);
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test) => Tests.TryRemove(test.UniqueID, out _);

    private static void WatchTests()
    {
        while (true)
        {
            Thread.Sleep(TimeSpan.FromSeconds(1));
            foreach (var (id, test) in Tests)
            {
                var time = Stopwatch.GetElapsedTime(test.Start);
                if (time > Limit + Grace)
                {
                    Console.Error.WriteLine($"HUNG: {test.Name} takes no notice of its cancellation.");
                    Environment.Exit(1);
                }
                else if (time > Limit && Tests.TryUpdate(id, test with { IsCancelled = true }, test with { IsCancelled = false }))
                {
                    Console.Error.WriteLine($"HUNG: {test.Name} is cancelled after {Limit}.");
                    test.Context.CancelCurrentTest();
                }
            }
        }
    }

    private sealed record Running(string Name, long Start, ITestContext Context, bool IsCancelled = false);
}
