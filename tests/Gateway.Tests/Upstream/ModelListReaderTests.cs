using System.Text;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

public sealed class ModelListReaderTests
{
    [Theory]
    [InlineData("32768", 32768)]
    [InlineData("0", null)]
    [InlineData("\"32768\"", null)]
    [InlineData("null", null)]
    [InlineData("1e30", null)]
    public void Read_MaxModelLen_IsTheWindow(string value, int? window) => Assert.Equal(
        [new DiscoveredModel("m", null, window)],
        ModelListReader.Read(Encoding.UTF8.GetBytes($$"""{"data":[{"id":"m","max_model_len":{{value}}}]}""")));
}
