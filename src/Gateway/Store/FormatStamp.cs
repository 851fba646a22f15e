namespace Gateway.Store;

/// <summary>The version that turns and records begin with.</summary>
internal static class FormatStamp
{
    /// <summary>A byte that is text is no version, however far they get.</summary>
    private const byte FirstText = (byte)' ';

    /// <param name="stored">What is stored.</param>
    /// <param name="version">The version that is known.</param>
    /// <param name="what">What it is, as the beginning of a sentence.</param>
    /// <exception cref="NewerFormatException">It begins with a later version.</exception>
    /// <exception cref="InvalidDataException">It begins with none.</exception>
    public static void Check(ReadOnlySpan<byte> stored, byte version, string what)
    {
        var found = stored.IsEmpty ? (byte)0 : stored[0];
        if (found != version)
        {
            throw found > version && found < FirstText ? new NewerFormatException(what) : new InvalidDataException($"{what} is damaged.");
        }
    }
}
