using Opt.Testing;

namespace Opt.EndToEnd;

/// <summary><c>examples/opt-tiny.yaml</c>, shortened for tests.</summary>
internal static class TinyManifest
{
    /// <param name="memoryEvery">Steps between checkpoints in the nodes' memory; null for none.</param>
    public static string WithSteps(int steps, int checkpointEvery, int? memoryEvery = null) => File.ReadAllText(Repo.PathOf("examples", "opt-tiny.yaml"))
        .Replace("totalTokens: 307200", $"totalTokens: {steps * 1024}", StringComparison.Ordinal)
        .Replace("every: {steps: 20}", $"every: {{steps: {checkpointEvery}}}{(memoryEvery is { } n ? $"\n    memory: {{every: {{steps: {n}}}}}" : "")}", StringComparison.Ordinal);
}
