namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>A kind with no specification, no status and no defaults.</summary>
public class PlainRules : KindRules;

/// <summary>A kind with a specification and a status that is written apart.</summary>
public class SpecStatusRules(bool generation = true) : KindRules
{
    public override bool HasStatus => true;

    public override bool HasGeneration => generation;
}
