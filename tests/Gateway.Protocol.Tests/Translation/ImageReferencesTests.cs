using Gateway.Protocol.Tests.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Protocol.Tests.Translation;

public sealed class ImageReferencesTests
{
    [Theory]
    [InlineData("""{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"https://x/y.png"}]}""", "input[0].content[1].image_url")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","image_url":"HTTP:\/\/x/y.png"}]}""", "input[0].content[0].image_url", "HTTP://x/y.png")]
    [InlineData("""{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"https://x/y.png"}]}""", "input[0].output[0].image_url")]
    [InlineData("""{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_image","image_url":"https://x/y.png"}]}""", "input[0].output[0].image_url")]
    [InlineData("""{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"https://x/y.png"}}""", "input[0].output.image_url")]
    public void Find_ImageByUrl_IsFoundWithItsField(string item, string param, string url = "https://x/y.png")
    {
        var input = Requests.ParseInput(item).Input;

        Assert.Equal([new ImageReference(url, param)], ImageReferences.Find(input, input));
    }

    [Theory]
    [InlineData("""{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA"}]}""")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","file_id":"f"}]}""")]
    [InlineData("""{"role":"user","content":"{\"type\":\"input_image\",\"image_url\":\"https://x/y.png\"}"}""")]
    [InlineData("""{"role":"system","content":[{"type":"input_image","image_url":"https://x/y.png"}]}""")]
    [InlineData("""{"role":"assistant","content":"image_url https://x/y.png"}""")]
    [InlineData("""{"type":"function_call_output","call_id":"c","output":"{\"image_url\":\"https://x/y.png\"}"}""")]
    [InlineData("""{"type":"function_call","call_id":"c","name":"f","arguments":"{\"image_url\":\"https://x/y.png\"}"}""")]
    public void Find_NothingToFetch_IsEmpty(string item)
    {
        var input = Requests.ParseInput(item).Input;

        Assert.Empty(ImageReferences.Find(input, input));
    }

    [Fact]
    public void Find_ImageOfTheChain_NamesNoField()
    {
        var chain = Requests.ParseInput("""{"role":"user","content":[{"type":"input_image","image_url":"https://x/old.png"}]}""").Input;
        var input = Requests.ParseInput("""{"role":"user","content":[{"type":"input_image","image_url":"https://x/new.png"}]}""").Input;

        Assert.Equal(
            [new ImageReference("https://x/old.png", null), new ImageReference("https://x/new.png", "input[0].content[0].image_url")],
            ImageReferences.Find([.. chain, .. input], input));
    }
}
