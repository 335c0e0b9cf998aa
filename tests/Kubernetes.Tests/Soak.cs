using FsCheck;

namespace Opt.Kubernetes.Tests;

/// <summary>How many seeds a property runs: a sample with <c>make test</c>, all with <c>OPT_SOAK=1</c>.</summary>
internal static class Soak
{
    public static bool Full => Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    public static Config Runs(int sample, int full) => Config.QuickThrowOnFailure.WithMaxTest(Full ? full : sample);
}
