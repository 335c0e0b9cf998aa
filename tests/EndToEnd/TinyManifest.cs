using Opt.Testing;

namespace Opt.EndToEnd;

/// <summary><c>examples/opt-tiny.yaml</c>, shortened for tests.</summary>
internal static class TinyManifest
{
    /// <param name="memoryEvery">Steps between checkpoints in the nodes' memory; null for none.</param>
    /// <param name="sequences">Sequences of 128 tokens in a batch: two, one a worker, make a step a quarter as dear as the example's eight.</param>
    public static string WithSteps(int steps, int checkpointEvery, int? memoryEvery = null, int sequences = 8) => File.ReadAllText(Repo.PathOf("examples", "opt-tiny.yaml"))
        .Replace("totalTokens: 307200", $"totalTokens: {(long)steps * sequences * 128}", StringComparison.Ordinal)
        .Replace("batchTokens: 1024 ", $"batchTokens: {sequences * 128} ", StringComparison.Ordinal).Replace("microBatchSequences: 4", $"microBatchSequences: {sequences / 2}", StringComparison.Ordinal)
        // Two workers of a thread each, on two processors that others use too.
        .Replace("          - name: trainer\n", "          - name: trainer\n            env:\n              - {name: OPT_THREADS_PER_WORKER, value: \"1\"}\n", StringComparison.Ordinal)
        .Replace("every: {steps: 20}", $"every: {{steps: {checkpointEvery}}}{(memoryEvery is { } n ? $"\n    memory: {{every: {{steps: {n}}}}}" : "")}", StringComparison.Ordinal);
}
