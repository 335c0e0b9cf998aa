namespace Opt.LocalCluster.Kubelet.Processes;

/// <summary>The kubelet's <c>containerLogMaxSize</c> and <c>containerLogMaxFiles</c>, with its defaults.</summary>
/// <param name="MaxBytes">A log that has grown to this size is put aside and a new one begun.</param>
/// <param name="MaxFiles">Logs of one run that are kept, the present one included; at least 2.</param>
public sealed record LogLimits(long MaxBytes = 10L << 20, int MaxFiles = 5);
