using System.Text;
using Gateway.Egress;
using Gateway.Protocol.Translation;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Egress;

public sealed class ImageFetcherTests : EgressTest
{
    private const string Param = "input[0].content[0].image_url";

    private static readonly byte[] Png = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3, 4];

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData("89504E470D0A1A0A00", "image/png")]
    [InlineData("FFD8FFE000", "image/jpeg")]
    [InlineData("474946383961", "image/gif")]
    [InlineData("474946383761", "image/gif")]
    [InlineData("52494646000000005745425000", "image/webp")]
    public async Task Fetch_Image_IsADataUrlOfItsOwnType(string hex, string type)
    {
        var bytes = Convert.FromHexString(hex);
        var url = await ServeImageAsync(bytes, contentType: "text/html");

        var fetched = await FetchAsync(new ImageReference(url, Param));

        Assert.Null(fetched.Error);
        Assert.Equal($"data:{type};base64,{Convert.ToBase64String(bytes)}", Encoding.ASCII.GetString(fetched.DataUrls[url].Span));
    }

    [Theory]
    [InlineData("", "empty_image_file")]
    [InlineData("<html>", "unsupported_image_media_type")]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_image_media_type")]
    [InlineData("GIF8", "unsupported_image_media_type")]
    public async Task Fetch_NoImage_IsRefusedWhateverTheServerCallsIt(string body, string code)
    {
        var url = await ServeImageAsync(Encoding.ASCII.GetBytes(body));

        await AssertErrorAsync(code, url);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(500)]
    [InlineData(304)]
    public async Task Fetch_ServerRefuses_IsNotDownloaded(int status)
    {
        Options.AllowedHosts = ["127.0.0.1"];
        var port = await ServeAsync(context =>
        {
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });

        await AssertErrorAsync("failed_to_download_image", $"http://127.0.0.1:{port}/");
    }

    [Theory]
    [InlineData("http://10.0.0.1/x.png", "invalid_image_url")]
    [InlineData("http://user:pass@10.0.0.1/x.png", "invalid_image_url")]
    [InlineData("http://unknown.example/x.png", "invalid_image_url")]
    [InlineData("http://xn--ä.example/x.png", "invalid_image_url")]
    [InlineData("http://", "invalid_image_url")]
    [InlineData("http://[::1/x.png", "invalid_image_url")]
    public async Task Fetch_UrlThatTheGuardRefuses_IsInvalid(string url, string code) => await AssertErrorAsync(code, url);

    [Fact]
    public async Task Fetch_ConnectionThatBreaksOff_IsNotDownloaded()
    {
        Options.AllowedHosts = ["127.0.0.1"];
        var port = await ServeAsync(async context =>
        {
            context.Response.ContentLength = 100;
            await context.Response.Body.WriteAsync(Png, Cancellation);
            await context.Response.Body.FlushAsync(Cancellation);
            context.Abort();
        });

        await AssertErrorAsync("failed_to_download_image", $"http://127.0.0.1:{port}/");
    }

    [Theory]
    [InlineData(1024, 2048, 1024, null)]
    [InlineData(1024, 2048, 1025, "image_file_too_large")]
    [InlineData(2048, 1024, 1025, "image_file_too_large")]
    public async Task Fetch_Size_IsLimitedForOneAndForAll(int imageBytes, int totalBytes, int length, string? code)
    {
        (Options.Images.ImageBytes, Options.Images.TotalBytes) = (imageBytes, totalBytes);
        var url = await ServeImageAsync([.. Png, .. new byte[length - Png.Length]]);

        Assert.Equal(code, (await FetchAsync(new ImageReference(url, Param))).Error?.Code);
    }

    [Fact]
    public async Task Fetch_ServerThatNeverAnswers_EndsWithTheTime()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Options.AllowedHosts = ["127.0.0.1"];
        var port = await ServeAsync(context =>
        {
            asked.SetResult();
            return NeverAsync(context);
        });
        var fetch = FetchAsync(new ImageReference($"http://127.0.0.1:{port}/", Param));
        await asked.Task.WaitAsync(Cancellation);

        _time.Advance(TimeSpan.FromSeconds(20));

        var error = (await fetch).Error;
        Assert.Equal((400, "failed_to_download_image", Param), (error?.Status, error?.Code, error?.Param));
    }

    [Fact]
    public async Task Fetch_ClientLeaves_IsCancelled()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Options.AllowedHosts = ["127.0.0.1"];
        var port = await ServeAsync(context =>
        {
            asked.SetResult();
            return NeverAsync(context);
        });
        using var leaving = new CancellationTokenSource();
        var fetch = Fetcher().FetchAsync([new ImageReference($"http://127.0.0.1:{port}/", Param)], Scope(), leaving.Token);
        await asked.Task.WaitAsync(Cancellation);

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetch);
    }

    [Fact]
    public async Task Fetch_OneUrlTwice_IsFetchedOnce()
    {
        var hits = 0;
        Options.AllowedHosts = ["127.0.0.1"];
        var port = await ServeAsync(context =>
        {
            Interlocked.Increment(ref hits);
            return context.Response.Body.WriteAsync(Png).AsTask();
        });
        var url = $"http://127.0.0.1:{port}/";

        var fetched = await FetchAsync(new ImageReference(url, null), new ImageReference(url, Param), new ImageReference(url, "input[1].content[0].image_url"));

        Assert.Null(fetched.Error);
        Assert.Equal(1, hits);
    }

    [Fact]
    public async Task Fetch_TooManyImages_NamesTheFirstBeyondTheLimit()
    {
        Options.Images.MaxImages = 1;

        var error = (await FetchAsync(new ImageReference("http://a.example/", "input[0].content[0].image_url"), new ImageReference("http://b.example/", "input[0].content[1].image_url"))).Error;

        Assert.Equal(("invalid_value", "input[0].content[1].image_url"), (error?.Code, error?.Param));
        Assert.Empty(Resolver.Questions);
    }

    [Fact]
    public async Task Fetch_ImageOfTheChainThatIsGone_IsLeftOut()
    {
        var good = await ServeImageAsync(Png);

        var fetched = await FetchAsync(new ImageReference("http://gone.example/x.png", null), new ImageReference(good, Param));

        Assert.Null(fetched.Error);
        Assert.True(fetched.DataUrls["http://gone.example/x.png"].IsEmpty);
        Assert.False(fetched.DataUrls[good].IsEmpty);
    }

    [Fact]
    public async Task Fetch_MoreImagesInTheChainThanTheLimit_TakesTheNewest()
    {
        Options.Images.MaxImages = 2;
        var url = await ServeImageAsync(Png);
        ImageReference[] images = [new(url + "?1", null), new(url + "?2", null), new(url + "?3", Param)];

        var fetched = await FetchAsync(images);

        Assert.Null(fetched.Error);
        Assert.Equal([true, false, false], images.Select(image => fetched.DataUrls[image.Url].IsEmpty));
    }

    [Fact]
    public async Task Fetch_HostThatIsNotOnTheTenantsList_IsRefused()
    {
        var url = await ServeImageAsync(Png);

        var fetched = await Fetcher().FetchAsync([new ImageReference(url, Param)], Scope("images.example"), Cancellation);

        Assert.Equal("invalid_image_url", fetched.Error?.Code);
    }

    private async Task AssertErrorAsync(string code, string url)
    {
        var error = (await FetchAsync(new ImageReference(url, Param))).Error;

        Assert.Equal((400, code, Param), (error?.Status, error?.Code, error?.Param));
    }

    private ImageFetcher Fetcher() => new(Microsoft.Extensions.Options.Options.Create(Options), _time);

    private Task<FetchedImages> FetchAsync(params ImageReference[] images) => Fetcher().FetchAsync(images, Scope(), Cancellation);

    /// <summary>Answers when the client has left.</summary>
    private static async Task NeverAsync(HttpContext context)
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = context.RequestAborted.Register(left.SetResult);
        await left.Task;
    }

    /// <summary>Serves one image, on an address that is allowed.</summary>
    private async Task<string> ServeImageAsync(byte[] bytes, string contentType = "image/png")
    {
        Options.AllowedHosts = ["127.0.0.1"];
        var port = await ServeAsync(context =>
        {
            context.Response.ContentType = contentType;
            return context.Response.Body.WriteAsync(bytes).AsTask();
        });
        return $"http://127.0.0.1:{port}/image";
    }
}
