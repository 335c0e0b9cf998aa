namespace Opt.Kubernetes;

/// <summary>A step was about to be taken without the lease that allows it.</summary>
public sealed class LeadershipLostException(ObjectKey lease, string identity) : Exception($"{identity} does not hold the lease {lease} any more.");
