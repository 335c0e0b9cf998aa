using Opt.Testing;

namespace Opt.EndToEnd;

/// <summary><c>examples/opt-tiny.yaml</c>, shortened for tests.</summary>
internal static class TinyManifest
{
    public static string WithSteps(int steps, int checkpointEvery) => File.ReadAllText(Repo.PathOf("examples", "opt-tiny.yaml"))
        .Replace("totalTokens: 307200", $"totalTokens: {steps * 1024}", StringComparison.Ordinal)
        .Replace("every: {steps: 20}", $"every: {{steps: {checkpointEvery}}}", StringComparison.Ordinal);
}
