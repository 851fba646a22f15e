using System.Buffers.Text;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Microsoft.Extensions.Options;

namespace Gateway.Egress;

/// <summary>
/// Fetches images for model servers that do not. One of the request's own that can not be had is the client's error; one of the chain, which
/// may have been gone for months, is left out, so that a conversation can go on without it.
/// </summary>
internal sealed class ImageFetcher(IOptions<EgressOptions> options, TimeProvider time)
{
    private const int ReadBytes = 64 * 1024;

    private static readonly ProductInfoHeaderValue UserAgent = new("responses-gateway", productVersion: null);

    private readonly ImageLimits _limits = options.Value.Images;

    /// <summary>Fetches each image once, however often it is named.</summary>
    /// <param name="images">The images of the context, in its order.</param>
    /// <param name="scope">The tenant's way out.</param>
    /// <param name="cancellationToken">Cancelled when the client leaves; nothing else is thrown.</param>
    public async Task<FetchedImages> FetchAsync(IReadOnlyList<ImageReference> images, EgressScope scope, CancellationToken cancellationToken)
    {
        var own = images.Where(image => image.Param is not null).DistinctBy(image => image.Url).ToList();
        if (own.Count > _limits.MaxImages)
        {
            return new FetchedImages(FetchedImages.None.DataUrls, TooMany(own[_limits.MaxImages]));
        }

        // Of the chain the newest, as far as the limit goes; the others stay empty.
        var wanted = own.Concat(images.Reverse()).DistinctBy(image => image.Url).Take(_limits.MaxImages).ToList();
        var dataUrls = images.Select(image => image.Url).Distinct().ToDictionary(url => url, _ => default(ReadOnlyMemory<byte>), StringComparer.Ordinal);
        var room = new StrongBox<long>(_limits.TotalBytes);
        ApiError? error = null;
        using var client = scope.CreateClient();
        using var timeout = new CancellationTokenSource(_limits.Timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = _limits.Concurrency, CancellationToken = stop.Token };
            await Parallel.ForEachAsync(wanted, parallel, async (image, token) =>
            {
                var (dataUrl, refused) = await FetchAsync(client, image, room, token);
                lock (dataUrls)
                {
                    dataUrls[image.Url] = dataUrl;
                }

                if (refused is not null && image.Param is not null)
                {
                    Interlocked.CompareExchange(ref error, refused, null);
                    await stop.CancelAsync();
                }
            });
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Another image failed, or the time is over.
            error ??= own.Find(image => dataUrls[image.Url].IsEmpty) is { } late ? NotDownloaded(late, "It took too long.") : null;
        }

        return new FetchedImages(dataUrls, error);
    }

    private async Task<(ReadOnlyMemory<byte> DataUrl, ApiError? Error)> FetchAsync(
        HttpClient client, ImageReference image, StrongBox<long> room, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(image.Url, UriKind.Absolute, out var url))
        {
            return (default, Refused(image, new EgressRefusal(EgressRefusalKind.InvalidUrl)));
        }

        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.Accept.ParseAdd("image/png, image/jpeg, image/gif, image/webp");
            request.Headers.UserAgent.Add(UserAgent);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                return (default, NotDownloaded(image, string.Create(CultureInfo.InvariantCulture, $"The server answered with status {(int)response.StatusCode}.")));
            }

            using var bytes = new PooledBuffer(ReadBytes);
            return await ReadAsync(response.Content, bytes, room, cancellationToken) ? ToDataUrl(image, bytes.WrittenSpan) : (default, TooLarge(image));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (default, EgressRefusedException.Find(e) switch
            {
                null => NotDownloaded(image, "The server could not be reached or broke off."),
                { Kind: EgressRefusalKind.ResponseTooLarge } => TooLarge(image),
                var refusal => Refused(image, refusal),
            });
        }
    }

    /// <summary>Reads a body. False when it is too large.</summary>
    private async Task<bool> ReadAsync(HttpContent content, PooledBuffer bytes, StrongBox<long> room, CancellationToken cancellationToken)
    {
        await using var body = await content.ReadAsStreamAsync(cancellationToken);
        int count;
        while ((count = await body.ReadAsync(bytes.GetMemory(ReadBytes), cancellationToken)) > 0)
        {
            bytes.Advance(count);
            if (bytes.Length > _limits.ImageBytes || Interlocked.Add(ref room.Value, -count) < 0)
            {
                return false;
            }
        }

        return true;
    }

    private static (ReadOnlyMemory<byte> DataUrl, ApiError? Error) ToDataUrl(ImageReference image, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return (default, ApiError.Invalid("empty_image_file", image.Param, "The image is empty."));
        }

        if (ImageType.Find(bytes) is not { } type)
        {
            return (default, ApiError.Invalid(
                "unsupported_image_media_type", image.Param, "What was downloaded is no image of a supported format: PNG, JPEG, GIF or WebP."));
        }

        var start = Encoding.ASCII.GetBytes($"data:{type};base64,");
        var dataUrl = new byte[start.Length + Base64.GetMaxEncodedToUtf8Length(bytes.Length)];
        start.CopyTo(dataUrl, 0);
        Base64.EncodeToUtf8(bytes, dataUrl.AsSpan(start.Length), out _, out var written);
        return (dataUrl.AsMemory(0, start.Length + written), null);
    }

    private static ApiError Refused(ImageReference image, EgressRefusal refusal) => ApiError.Invalid("invalid_image_url", image.Param, refusal.Message);

    private static ApiError NotDownloaded(ImageReference image, string why) =>
        ApiError.Invalid("failed_to_download_image", image.Param, $"The image could not be downloaded. {why}");

    private ApiError TooLarge(ImageReference image) => ApiError.Invalid("image_file_too_large", image.Param, string.Create(
        CultureInfo.InvariantCulture,
        $"The image is too large: the limit is {_limits.ImageBytes} bytes for one image and {_limits.TotalBytes} bytes for all of them."));

    private ApiError TooMany(ImageReference image) => ApiError.InvalidValue(image.Param ?? "input", string.Create(
        CultureInfo.InvariantCulture, $"There are too many images given by URL: at most {_limits.MaxImages} are downloaded for one response."));
}
