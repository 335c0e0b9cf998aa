namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>What to run: everything is resolved, nothing is inherited.</summary>
/// <param name="Marker">Value of <see cref="ProcessTable.Marker"/>, unique to one container.</param>
internal sealed record ProcessSpec(string Executable, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, string WorkingDirectory, string Marker);
