using Gateway.Store;

namespace Gateway.Tests.Store;

internal static partial class StoreProperty
{
    private sealed partial class Run
    {
        private readonly List<ConversationId> _talks = [];
        private readonly List<(ConversationLock Hold, int Length)> _writers = [];
        private readonly List<(ConversationId Talk, ResponseId Turn)> _turns = [];

        /// <summary>Whether the step was one of a conversation's.</summary>
        private async Task<bool> DoInTalkAsync(Step step)
        {
            switch (step.Kind)
            {
                case Kind.StartTalk:
                    await StartAsync(step);
                    return true;
                case Kind.AddItems when _talks.Count > 0:
                    await AddAsync(_talks[step.Which % _talks.Count], step);
                    return true;
                case Kind.Hold when _talks.Count > 0:
                    await HoldAsync(_talks[step.Which % _talks.Count], step);
                    return true;
                case Kind.Say or Kind.Fail when _writers.Count > 0:
                    await SayAsync(step);
                    return true;
                case Kind.Renew when _writers.Count > 0:
                    var (renewed, _) = _writers[step.Which % _writers.Count];
                    var lease = TimeSpan.FromHours(step.Hours);
                    Assert.Equal(model.Renew(renewed, lease), await test.Conversations.RenewAsync(test.Tenant, renewed, lease, None));
                    return true;
                case Kind.Release when _writers.Count > 0:
                    var (released, _) = _writers[step.Which % _writers.Count];
                    model.Release(released);
                    await test.Conversations.ReleaseAsync(test.Tenant, released, None);
                    return true;
                case Kind.EraseItem when _turns.Count > 0:
                    var (talk, turn) = _turns[step.Which % _turns.Count];
                    var index = step.Hours % 3;
                    Assert.Equal(
                        model.Erase(talk, turn, index), await test.Conversations.EditTurnAsync(test.Tenant, talk, turn, Talks.Without(index), None));
                    return true;
                case Kind.DeleteTalk when _talks.Count > 0:
                    var deleted = _talks[step.Which % _talks.Count];
                    Assert.Equal(model.DeleteConversation(deleted), await test.Conversations.DeleteConversationAsync(test.Tenant, deleted, None));
                    return true;
                default:
                    return step.Kind >= Kind.StartTalk;
            }
        }

        private async Task StartAsync(Step step)
        {
            var id = ConversationId.New();
            var start = Talks.Start(test, id, [.. Enumerable.Range(0, step.Which % 3).Select(_ => Text())]) with { Retention = RetentionOf(step) };
            model.CreateConversation(start);
            await test.Conversations.CreateConversationAsync(start, None);
            _talks.Add(id);
            if (start.Items is { } items)
            {
                _turns.Add((id, items.Turn));
            }
        }

        private async Task AddAsync(ConversationId id, Step step)
        {
            var items = Talks.Items(id, [.. Enumerable.Range(0, 1 + step.Hours % 3).Select(_ => Text())]);
            var expected = model.AddItems(id, items, RetentionOf(step));
            Assert.Equal(expected, await test.Conversations.AddItemsAsync(test.Tenant, id, items, Talks.NoLimit, RetentionOf(step), None));
            _turns.Add((id, items.Turn));
        }

        private async Task HoldAsync(ConversationId id, Step step)
        {
            // A third only reads.
            var token = step.Hours % 3 == 0 ? null : $"writer {_writers.Count}";
            var opening = Talks.Opening(test, id, token) with { Lease = TimeSpan.FromHours(step.Hours), Retention = RetentionOf(step) };
            var expected = model.Open(opening);
            var opened = await test.Conversations.OpenAsync(opening, None);
            Assert.Equal(expected, opened.Access);
            if (expected == ConversationAccess.Done)
            {
                Assert.Equal(model.Turns(id)!.Select(turn => turn.Text()), opened.Turns.Select(turn => turn.Text()));
            }

            if (token is not null)
            {
                _writers.Add((new ConversationLock(id, token), opened.Length));
            }
        }

        /// <summary>Any writer, the rightful one or one that lost its hold long ago, or never had it.</summary>
        private async Task SayAsync(Step step)
        {
            var (hold, length) = step.Which % 3 == 0 ? _writers[step.Which % _writers.Count] : _writers[^1];
            var commit = test.Turn(hold.Id, hold.Token, length, Text(), aside: step.Kind == Kind.Fail);
            _turns.Add((hold.Id, commit.Id));
            await CommitAsync(commit, step);
        }

        private async Task CompareTalksAsync()
        {
            foreach (var id in _talks)
            {
                var expected = model.Turns(id);
                Assert.Equal(expected is not null, await test.Conversations.GetConversationAsync(test.Tenant, id, None) is not null);
                if (expected is null)
                {
                    Assert.Null(await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(3, true, null), None));
                    continue;
                }

                var items = expected.SelectMany(turn => turn.Input.Concat(turn.Output)).Where(item => !item.IsEmpty).Select(Talks.TextOf).ToArray();
                Assert.Equal(items, await test.ReadItemsAsync(id, limit: 3));
                Assert.Equal(Enumerable.Reverse(items), await test.ReadItemsAsync(id, limit: 2, ascending: false));
            }

            foreach (var (talk, turn) in _turns)
            {
                Assert.Equal(model.FindTurn(talk, turn)?.Text(), (await test.Conversations.FindTurnAsync(test.Tenant, talk, turn, None))?.Text());
            }
        }
    }
}
