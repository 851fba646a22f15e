using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class ReasoningTagScannerTests
{
    private static readonly string[] Think = ["<think>", "</think>"];
    private static readonly string[] Several = ["<think>", "</think>", "<thinking>", "</thinking>", "<|channel|>analysis", "<|channel|>final"];

    [Theory]
    [InlineData("", "", "")]
    [InlineData("answer", "", "answer")]
    [InlineData("<think>why</think>answer", "why", "answer")]
    [InlineData("<think>why</think>\nanswer", "why", "answer")]
    [InlineData("<think>why</think>\n\nanswer", "why", "\nanswer")]
    [InlineData("<think>\nwhy\n</think>\n", "\nwhy\n", "")]
    [InlineData(" \t\r\n<think>why</think> answer", "why", " answer")]
    [InlineData("<think></think>answer", "", "answer")]
    [InlineData("<think>why", "why", "")]
    [InlineData("<think>why</thi", "why</thi", "")]
    [InlineData("<think>a<think>b</think>c</think>d", "a<think>b", "c</think>d")]
    [InlineData("<think>a</thin</think>b", "a</thin", "b")]
    [InlineData("<think>a<<</</think>b", "a<<</", "b")]
    [InlineData("</think>answer", "", "</think>answer")]
    [InlineData("x<think>why</think>", "", "x<think>why</think>")]
    [InlineData("<think>a</think>b<think>c</think>", "a", "b<think>c</think>")]
    [InlineData("<think>a</think><think>b</think>", "a", "<think>b</think>")]
    [InlineData("<thi", "", "<thi")]
    [InlineData("  <thi", "", "  <thi")]
    [InlineData("  ", "", "  ")]
    [InlineData("<thought>x", "", "<thought>x")]
    [InlineData("<THINK>x</THINK>", "", "<THINK>x</THINK>")]
    [InlineData("<thinking>a</think>b</thinking>c", "a</think>b", "c")]
    [InlineData("<|channel|>analysis a<|channel|>final b", " a", " b")]
    [InlineData("<think>é😀</think>é😀", "é😀", "é😀")]
    public void Push_Text_IsToldApartWhereverItIsSplit(string text, string reasoning, string answer)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal((reasoning, answer), Scan(Several, false, bytes, [bytes.Length]));
        Assert.Equal((reasoning, answer), Scan(Several, false, bytes, [.. Enumerable.Range(1, bytes.Length)]));
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            Assert.Equal((reasoning, answer), Scan(Several, false, bytes, [cut, bytes.Length]));
        }
    }

    [Theory]
    [InlineData("why</think>\nanswer", "why", "answer")]
    [InlineData("\nwhy</think>answer", "\nwhy", "answer")]
    [InlineData("why", "why", "")]
    [InlineData("</think>answer", "", "answer")]
    [InlineData("a</thinking>b</think>c</think>", "a</thinking>b", "c</think>")]
    public void Push_ImplicitOpen_BeginsWithReasoning(string text, string reasoning, string answer)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            Assert.Equal((reasoning, answer), Scan(Several, true, bytes, [cut, bytes.Length]));
        }
    }

    [Fact]
    public void Push_WithoutTags_PassesThrough()
    {
        using var scanner = new ReasoningTagScanner([], implicitOpen: true);

        Assert.True(scanner.IsPassThrough);
        Assert.Equal(("", "<think>a</think>"), Scan([], true, "<think>a</think>"u8.ToArray(), [3, 16]));
    }

    [Fact]
    public void IsPassThrough_OnlyOnceTheAnswerHasBegun()
    {
        using var scanner = new ReasoningTagScanner(Think, implicitOpen: false);
        var texts = new Texts();
        foreach (var piece in (string[])["<th", "ink>why", "</think", ">"])
        {
            scanner.Push(Encoding.UTF8.GetBytes(piece), texts);
            Assert.False(scanner.IsPassThrough);
        }

        scanner.Push("answer"u8, texts);

        Assert.True(scanner.IsPassThrough);
    }

    [Fact]
    public void Push_WhatCanBeNoTag_IsNotHeldBack()
    {
        using var scanner = new ReasoningTagScanner(Think, implicitOpen: false);
        var texts = new Texts();

        scanner.Push("<think>because <"u8, texts);
        Assert.Equal("because ", texts.Reasoning);
        scanner.Push("b> </thin"u8, texts);
        Assert.Equal("because <b> ", texts.Reasoning);
        scanner.Push("k>yes"u8, texts);

        Assert.Equal(("because <b> ", "yes"), (texts.Reasoning, texts.Answer));
    }

    [Fact]
    public void Push_EndlessWhiteSpace_IsNotCopiedAgainWithEachPiece()
    {
        using var scanner = new ReasoningTagScanner(Think, implicitOpen: false);
        var texts = new Texts();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 50_000; i++)
        {
            scanner.Push("\n"u8, texts);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 500_000);
        scanner.Push("<think>why</think>yes"u8, texts);
        Assert.Equal(("why", "yes"), (texts.Reasoning, texts.Answer));
    }

    [Property(MaxTest = 2000)]
    public Property Push_RandomText_GivesTheSameInAnyPiecesAndLosesNothing()
    {
        var fragment = Gen.Elements("<think>", "</think>", "<thi", "nk>", "</", "<", ">", "think", " ", "\n", "x", "é");
        var cuts = Gen.Choose(1, 9).ListOf();
        return Prop.ForAll(fragment.ListOf().Select(string.Concat).Zip(cuts).Zip(Gen.Elements(true, false)).ToArbitrary(), input =>
        {
            var ((text, steps), implicitOpen) = input;
            var bytes = Encoding.UTF8.GetBytes(text);
            var ends = new List<int>();
            foreach (var step in steps)
            {
                ends.Add(Math.Min(bytes.Length, (ends.Count > 0 ? ends[^1] : 0) + step));
            }

            ends.Add(bytes.Length);
            var (reasoning, answer) = Scan(Think, implicitOpen, bytes, [.. ends]);

            Assert.Equal(Expect(text, implicitOpen), (reasoning, answer));
        });
    }

    /// <summary>The rule on the whole text at once.</summary>
    private static (string Reasoning, string Answer) Expect(string text, bool implicitOpen)
    {
        var begun = text.TrimStart(' ', '\t', '\r', '\n');
        if (!implicitOpen && !begun.StartsWith("<think>", StringComparison.Ordinal))
        {
            return ("", text);
        }

        begun = implicitOpen ? text : begun["<think>".Length..];
        var close = begun.IndexOf("</think>", StringComparison.Ordinal);
        if (close < 0)
        {
            return (begun, "");
        }

        var answer = begun[(close + "</think>".Length)..];
        return (begun[..close], answer.StartsWith('\n') ? answer[1..] : answer);
    }

    private static (string Reasoning, string Answer) Scan(string[] tags, bool implicitOpen, byte[] bytes, int[] ends)
    {
        using var scanner = new ReasoningTagScanner(tags, implicitOpen);
        var texts = new Texts();
        var start = 0;
        foreach (var end in ends)
        {
            scanner.Push(bytes.AsSpan(start, end - start), texts);
            start = end;
        }

        scanner.Finish(texts);
        scanner.Finish(texts);
        return (texts.Reasoning, texts.Answer);
    }

    private sealed class Texts : ITextReceiver
    {
        private readonly List<byte> _reasoning = [];
        private readonly List<byte> _answer = [];

        public string Reasoning => Encoding.UTF8.GetString([.. _reasoning]);

        public string Answer => Encoding.UTF8.GetString([.. _answer]);

        public void OnReasoning(ReadOnlySpan<byte> utf8)
        {
            Assert.False(utf8.IsEmpty);
            _reasoning.AddRange(utf8);
        }

        public void OnText(ReadOnlySpan<byte> utf8)
        {
            Assert.False(utf8.IsEmpty);
            _answer.AddRange(utf8);
        }
    }
}
