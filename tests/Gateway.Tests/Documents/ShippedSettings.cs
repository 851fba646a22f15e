using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Documents;

/// <summary>The shipped <c>appsettings.json</c>, as it is and with the examples in its comments taken as settings.</summary>
internal static partial class ShippedSettings
{
    public static IConfigurationRoot Load() => Read(Repository.Read("appsettings.json"));

    public static IConfigurationRoot LoadWithExamples()
    {
        var json = Example().Replace(Repository.Read("appsettings.json"), string.Empty);
        return Read(MissingComma().Replace(Comment().Replace(json, string.Empty), ","));
    }

    private static IConfigurationRoot Read(string json) =>
        new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();

    /// <summary>The slashes before what would be a setting: a name and a colon, or the end of an object.</summary>
    [GeneratedRegex(@"(?<=^ *)// +(?=""\w+"": |\})", RegexOptions.Multiline)]
    private static partial Regex Example();

    /// <summary>A comment from its slashes to the end of the line; those of an address follow a colon.</summary>
    [GeneratedRegex(@"(?<=^|\s)//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    /// <summary>Where an example follows the last setting of an object.</summary>
    [GeneratedRegex(@"(?<=[""\]\}\w])(?=\s*\n\s*"")")]
    private static partial Regex MissingComma();
}
