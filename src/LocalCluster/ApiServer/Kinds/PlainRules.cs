namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>A kind with no specification, no status and no defaults.</summary>
public class PlainRules : KindRules;

/// <summary>A kind whose names may hold anything that a URL path segment may.</summary>
public sealed class PathNameRules : KindRules
{
    public override NameRule NameRule => NameRule.Path;

    public override void Default(System.Text.Json.Nodes.JsonObject item) => RbacDefaults.Fill(item);
}

/// <summary>A kind with a specification and a status that is written apart.</summary>
public class SpecStatusRules(bool generation = true) : KindRules
{
    public override bool HasStatus => true;

    public override bool HasGeneration => generation;
}
