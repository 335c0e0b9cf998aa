using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>A kind with no specification, no status and no defaults.</summary>
public class PlainRules : KindRules;

/// <summary>Priority classes preempt unless they say otherwise.</summary>
public sealed class PriorityClassRules : PlainRules
{
    public override void Default(JsonObject item) => item.Default("preemptionPolicy", "PreemptLowerPriority");
}

/// <summary>A kind with a specification and a status that is written apart.</summary>
public class SpecStatusRules(bool generation = true) : KindRules
{
    public override bool HasStatus => true;

    public override bool HasGeneration => generation;
}
