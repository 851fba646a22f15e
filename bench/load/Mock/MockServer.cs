using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;

namespace Gateway.Load.Mock;

/// <summary>
/// A Chat Completions server that costs as little as Kestrel allows. The request's <c>stream</c> flag decides between JSON and an event
/// stream; a stream is paced when the model is <c>mock-paced</c> and a burst otherwise. Two more models are <see cref="WaitingModel"/>'s.
/// </summary>
internal sealed class MockServer(MockOptions options)
{
    // As large as Kestrel's own output buffer: one flush a block.
    private const int BlockBytes = 16 * 1024;

    private readonly MockAnswers _answers = new(options);

    public static async Task RunAsync(MockOptions options, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false).UseUrls($"http://127.0.0.1:{options.Port}");
        await using var app = builder.Build();
        app.Run(new MockServer(options).AnswerAsync);
        await app.StartAsync(cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (HttpMethods.IsGet(context.Request.Method))
        {
            await AnswerJsonAsync(context.Response, MockAnswers.Models);
            return;
        }

        var (kind, turn) = await ReadAsync(context.Request.BodyReader, context.RequestAborted);
        switch (kind)
        {
            case AnswerKind.Waiting:
                await AnswerWaitingAsync(context, turn!);
                break;
            case AnswerKind.Json:
                await AnswerJsonAsync(context.Response, _answers.Json);
                break;
            case AnswerKind.Burst:
                await AnswerBurstAsync(context);
                break;
            case AnswerKind.Paced:
                await AnswerPacedAsync(context);
                break;
        }
    }

    private async Task<(AnswerKind Kind, WaitingTurn? Turn)> ReadAsync(PipeReader body, CancellationToken cancellationToken)
    {
        var read = await body.ReadAsync(cancellationToken);
        while (!read.IsCompleted)
        {
            body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            read = await body.ReadAsync(cancellationToken);
        }

        var recognised = Recognise(read.Buffer);
        body.AdvanceTo(read.Buffer.End);
        return recognised;
    }

    private (AnswerKind Kind, WaitingTurn? Turn) Recognise(in ReadOnlySequence<byte> body)
    {
        if (body.IsSingleSegment)
        {
            return Recognise(body.FirstSpan);
        }

        // A long chain comes in many segments; a search within one span is far quicker than over a sequence.
        var copy = ArrayPool<byte>.Shared.Rent((int)body.Length);
        body.CopyTo(copy);
        var recognised = Recognise(copy.AsSpan(0, (int)body.Length));
        ArrayPool<byte>.Shared.Return(copy);
        return recognised;
    }

    private (AnswerKind Kind, WaitingTurn? Turn) Recognise(ReadOnlySpan<byte> body)
    {
        if (WaitingModel.IsMeant(body))
        {
            return (AnswerKind.Waiting, WaitingModel.Read(body, options));
        }

        if (body.IndexOf("\"stream\":true"u8) < 0)
        {
            return (AnswerKind.Json, null);
        }

        return (body.IndexOf("\"mock-paced\""u8) < 0 ? AnswerKind.Burst : AnswerKind.Paced, null);
    }

    private static async Task AnswerJsonAsync(HttpResponse response, ReadOnlyMemory<byte> json)
    {
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        await response.BodyWriter.WriteAsync(json);
    }

    private static async Task AnswerWaitingAsync(HttpContext context, WaitingTurn turn)
    {
        var answer = await WaitingModel.AnswerAsync(turn, context.RequestAborted);
        if (turn.Streams)
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.BodyWriter.WriteAsync(answer);
        }
        else
        {
            await AnswerJsonAsync(context.Response, answer);
        }
    }

    private async Task AnswerBurstAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        for (var rest = _answers.Burst; !rest.IsEmpty; rest = rest[Math.Min(BlockBytes, rest.Length)..])
        {
            await context.Response.BodyWriter.WriteAsync(rest[..Math.Min(BlockBytes, rest.Length)], context.RequestAborted);
        }
    }

    private async Task AnswerPacedAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        var body = context.Response.BodyWriter;
        await body.WriteAsync(_answers.PacedFirst, context.RequestAborted);
        using var timer = new PeriodicTimer(options.Interval);
        for (var i = 0; i < options.PacedDeltas; i++)
        {
            await timer.WaitForNextTickAsync(context.RequestAborted);
            WriteStamped(body);
            await body.FlushAsync(context.RequestAborted);
        }

        await body.WriteAsync(_answers.PacedLast, context.RequestAborted);
    }

    private void WriteStamped(PipeWriter body)
    {
        body.Write(_answers.BeforeStamp.Span);
        Stopwatch.GetTimestamp().TryFormat(body.GetSpan(MockAnswers.StampDigits), out var digits, "D19");
        body.Advance(digits);
        body.Write(_answers.AfterStamp.Span);
    }

    private enum AnswerKind
    {
        Json,
        Burst,
        Paced,
        Waiting,
    }
}
