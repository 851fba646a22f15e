namespace Gateway.Egress;

/// <summary>
/// Images given by URL that are fetched for a model server which takes data URLs only (profiles with <c>image_urls: inline</c>).
/// </summary>
internal sealed class ImageLimits
{
    /// <summary>The most images fetched for one response; 0: none is fetched.</summary>
    /// <value>0 to 1,000</value>
    public int MaxImages { get; set; } = 20;

    /// <summary>The longest image, one that a bound tool has made included.</summary>
    /// <value>1,024 to 1 GiB, at most <c>Gateway:Tools:Egress:ResponseBytes</c></value>
    public int ImageBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>All images of one response.</summary>
    /// <value>1,024 to 1 GiB</value>
    public int TotalBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>How many images of one response are fetched at once.</summary>
    /// <value>1 to 64</value>
    public int Concurrency { get; set; } = 4;

    /// <summary>For all images of one response together.</summary>
    /// <value>0.1 seconds to 10 minutes</value>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);
}
