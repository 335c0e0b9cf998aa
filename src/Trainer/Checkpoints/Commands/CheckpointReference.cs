using System.Globalization;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary>A checkpoint as people name it: a step (the newest commit of it), #ENTRY of the commit log, "latest", "healthy" (the newest healthy one) or healthy@STEP (not after that step).</summary>
internal static class CheckpointReference
{
    /// <exception cref="CheckpointException">There is none; the message lists those there are.</exception>
    public static KnownCheckpoint Find(LogState state, string text)
    {
        // What lies in the memory of a job's nodes is out of reach here; it is found by its entry alone.
        var newestFirst = state.Durable.Reverse();
        var found = text switch
        {
            "latest" => newestFirst.FirstOrDefault(),
            "healthy" => state.LastHealthy(),
            ['h', 'e', 'a', 'l', 't', 'h', 'y', '@', .. var limit] when Number(limit) is { } step => state.LastHealthy(step),
            ['#', .. var entry] when Number(entry) is { } n => state.Checkpoints.GetValueOrDefault(n),
            _ when Number(text) is { } step => newestFirst.FirstOrDefault(c => c.Commit.Step == step),
            _ => throw new CheckpointException($"\"{text}\" names no checkpoint: use a step, #ENTRY, latest, healthy or healthy@STEP"),
        };
        return found ?? throw new CheckpointException($"no checkpoint \"{text}\"; there {(state.Checkpoints.Count == 0 ? "are none" : $"are steps {string.Join(", ", state.Checkpoints.Values.Select(c => c.Commit.Step))}")}");
    }

    private static long? Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
