using Opt.Operator.Agents;

namespace Opt.Operator.Dashboard.Curves;

/// <summary>Reads the curves of a run from its first epoch on.</summary>
internal static class PastReader
{
    /// <summary>
    /// Adds what the store keeps of all epochs up to <paramref name="epoch"/>, then what rank 0's agent holds of that one and has not stored yet.
    /// </summary>
    /// <returns>The index at the agent of the last record read: where following goes on.</returns>
    /// <exception cref="AgentException">The agent, or the store behind it, does not answer.</exception>
    public static async Task<long> ReadAsync(StepColumns columns, IAgentClient agents, AgentTarget target, long epoch, CancellationToken ct)
    {
        for (var past = 1L; past <= epoch; past++)
        {
            int after, next = 0;
            var ended = false;
            while (!ended)
            {
                after = next;
                var page = await agents.GetArchiveAsync(target, past, after, ct);
                foreach (var record in page.Records) columns.Add(record);
                next = page.Next;
                ended = page.Ended || next <= after;   // an agent that gets nowhere does not hold us
            }
        }

        for (var read = 0L; ;)
        {
            var page = await agents.GetStepsAsync(target, epoch, read, TimeSpan.Zero, ct);
            if (page.Epoch != epoch || page.Records.Count == 0 || page.Next <= read) return read;
            foreach (var record in page.Records) columns.Add(record);
            read = page.Next;
        }
    }
}
