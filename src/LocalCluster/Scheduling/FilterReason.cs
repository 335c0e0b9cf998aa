namespace Opt.LocalCluster.Scheduling;

/// <summary>Why a node was refused, in the scheduler's words, and whether evicting other pods could change it.</summary>
internal readonly record struct FilterReason(string Text, bool IsResolvable)
{
    public static readonly FilterReason Unschedulable = new("node(s) were unschedulable", false);
    public static readonly FilterReason Taints = new("node(s) had untolerated taint(s)", false);
    public static readonly FilterReason NodeAffinity = new("node(s) didn't match Pod's node affinity/selector", false);
    public static readonly FilterReason HostPorts = new("node(s) didn't have free ports for the requested pod ports", true);
    public static readonly FilterReason TooManyPods = new("Too many pods", true);
    public static readonly FilterReason Spread = new("node(s) didn't match pod topology spread constraints", true);
    public static readonly FilterReason SpreadLabel = new("node(s) didn't match pod topology spread constraints (missing required label)", false);
    public static readonly FilterReason Affinity = new("node(s) didn't match pod affinity rules", false);
    public static readonly FilterReason AntiAffinity = new("node(s) didn't match pod anti-affinity rules", true);
    public static readonly FilterReason ExistingAntiAffinity = new("node(s) didn't satisfy existing pods anti-affinity rules", true);

    public static FilterReason Insufficient(string resource, bool everFits) => new($"Insufficient {resource}", everFits);
}
