namespace Chart.Tests;

/// <summary>Files that are made from others. With <c>UPDATE_CHART=1</c> the tests write them instead of comparing.</summary>
internal static class Generated
{
    public static void Check(string path, string expected)
    {
        var file = Path.Combine(Folders.Chart, path);
        if (Environment.GetEnvironmentVariable("UPDATE_CHART") == "1")
        {
            File.WriteAllText(file, expected);
        }

        Assert.True(expected == File.ReadAllText(file), $"helm/responses-gateway/{path} is stale: run the tests of the chart once with UPDATE_CHART=1.");
    }
}
