using System.Security.Cryptography;

namespace Gateway.Tools;

/// <summary>Ids of tool calls, in the API's form.</summary>
internal static class CallIds
{
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    public static string New() => "call_" + RandomNumberGenerator.GetString(Alphabet, 24);
}
