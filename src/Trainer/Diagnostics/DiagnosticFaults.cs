using Opt.Trainer.Loop;

namespace Opt.Trainer.Diagnostics;

/// <summary>
/// For fault drills: when the environment names a folder (<see cref="FaultHook.Variable"/>), a file <c>diagnose-TEST-NODE</c> in it makes that test
/// on that node see what broken hardware would do to it, for as long as the file is there. Without that variable there is no such thing.
/// </summary>
/// <param name="node">The Kubernetes node; outside a pod the machine's own name.</param>
internal sealed class DiagnosticFaults(string? folder, string node)
{
    public static DiagnosticFaults FromEnvironment() =>
        new(Environment.GetEnvironmentVariable(FaultHook.Variable), Environment.GetEnvironmentVariable("OPT_NODE_NAME") is { Length: > 0 } name ? name : Environment.MachineName);

    /// <summary>Whether the test is to find a fault.</summary>
    public bool Strikes(string test) => !string.IsNullOrEmpty(folder) && File.Exists(Path.Combine(folder, $"diagnose-{test}-{node}"));
}
