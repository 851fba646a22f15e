namespace Gateway.Egress;

/// <summary>
/// Images given by URL that are fetched for a model server which takes data URLs only (profiles with <c>image_urls: inline</c>):
/// <c>Gateway:Tools:Images</c>.
/// </summary>
internal sealed class ImageLimits
{
    /// <summary>The most images fetched for one response. 0 to 1,000; default 20.</summary>
    public int MaxImages { get; set; } = 20;

    /// <summary>The longest image in bytes, one that a bound tool has made included; at most <c>Gateway:Tools:Egress:ResponseBytes</c>. 1,024 to 1 GiB; default 10 MiB.</summary>
    public int ImageBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>The most bytes of all images of one response. 1,024 to 1 GiB; default 32 MiB.</summary>
    public int TotalBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>How many images of one response are fetched at once. 1 to 64; default 4.</summary>
    public int Concurrency { get; set; } = 4;

    /// <summary>For all images of one response together. 0.1 seconds to 10 minutes; default 20 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);
}
