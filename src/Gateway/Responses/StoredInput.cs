using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Responses;

/// <summary>A request's input items in the form in which they are stored and listed. Rendered when first asked for.</summary>
internal sealed class StoredInput(ResponseId id, IReadOnlyList<Item> input) : IDisposable
{
    private readonly List<ReadOnlyMemory<byte>> _items = [];
    private PooledBuffer? _buffer;

    /// <summary>Every item, with an id of its own: the client's, or a new one where it gave none or repeated one.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Items
    {
        get
        {
            Render();
            return _items;
        }
    }

    /// <summary>The user's messages among them.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> UserMessages
    {
        get
        {
            Render();
            return [.. _items.Where((_, i) => input[i].Kind == ItemKind.Message && ItemTable.RoleIs(input[i], "user"u8))];
        }
    }

    public void Dispose() => _buffer?.Dispose();

    private void Render()
    {
        if (_buffer is not null)
        {
            return;
        }

        _buffer = new PooledBuffer();
        var ends = new int[input.Count];
        var ids = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < input.Count; i++)
        {
            // A list is paged by id, which must lead to one place in it. Where the id says what the item refers to or answers, it stays.
            var keepId = input[i].Kind is ItemKind.ItemReference or ItemKind.LocalShellCallOutput || (input[i].HasId && ids.Add(input[i].Id));
            ItemTable.WriteWithId(input[i], id.ItemId(ItemTable.IdPrefix(input[i].Kind), i), _buffer, keepId);
            ends[i] = _buffer.Length;
        }

        // Sliced at the end only: the buffer may have moved while it grew.
        for (var i = 0; i < ends.Length; i++)
        {
            var start = i == 0 ? 0 : ends[i - 1];
            _items.Add(_buffer.WrittenMemory[start..ends[i]]);
        }
    }
}
