using System.Text;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>Finds the images that have to be fetched for a server that takes them as data URLs only.</summary>
public static class ImageReferences
{
    /// <summary>The images in users' messages and in the outputs of tools, in the order of the items.</summary>
    /// <param name="items">The whole context, oldest item first.</param>
    /// <param name="input">The request's own items, of which errors name the field.</param>
    public static IReadOnlyList<ImageReference> Find(IReadOnlyList<Item> items, IReadOnlyList<Item> input)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(input);
        List<ImageReference> found = [];
        foreach (var item in items)
        {
            // Most items have no image: they are not walked.
            if (item.Json.Span.IndexOf("image_url"u8) >= 0 && MemberOf(item) is { } member)
            {
                var index = IndexOf(input, item);
                AddAll(found, JsonView.Member(item.Json, Encoding.UTF8.GetBytes(member)), index < 0 ? null : $"input[{index}].{member}");
            }
        }

        return found;
    }

    private static string? MemberOf(Item item) => item.Kind switch
    {
        ItemKind.Message => ItemTable.RoleIs(item, "user"u8) ? "content" : null,
        ItemKind.FunctionCallOutput or ItemKind.CustomToolCallOutput or ItemKind.ComputerCallOutput => "output",
        _ => null,
    };

    private static int IndexOf(IReadOnlyList<Item> input, Item item)
    {
        for (var i = 0; i < input.Count; i++)
        {
            if (input[i].Json.Equals(item.Json))
            {
                return i;
            }
        }

        return -1;
    }

    private static void AddAll(List<ImageReference> found, ReadOnlyMemory<byte> value, string? path)
    {
        if (JsonView.IsObject(value))
        {
            Add(found, value, path);
            return;
        }

        var index = 0;
        foreach (var part in JsonView.Elements(value))
        {
            Add(found, part, path is null ? null : $"{path}[{index}]");
            index++;
        }
    }

    private static void Add(List<ImageReference> found, ReadOnlyMemory<byte> part, string? path)
    {
        if (MessageContent.IsImage(part)
            && JsonView.Text(JsonView.Member(part, "image_url"u8)) is { } url
            && (url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || url.StartsWith("https://", StringComparison.OrdinalIgnoreCase)))
        {
            found.Add(new ImageReference(url, path is null ? null : $"{path}.image_url"));
        }
    }
}
