namespace Opt.Layout;

/// <summary>Which of our assemblies may refer to which other; nothing else may.</summary>
public static class ReferenceRules
{
    /// <summary>Project folder under src, its assembly, and the projects it may reference.</summary>
    public static readonly IReadOnlyDictionary<string, (string Assembly, string[] MayReference)> Projects = new Dictionary<string, (string, string[])>
    {
        ["Api"] = ("Opt.Api", []),
        ["Planning"] = ("Opt.Planning", ["Api"]),
        ["Kubernetes"] = ("Opt.Kubernetes", []),
        ["Operator"] = ("opt-operator", ["Api", "Planning", "Kubernetes"]),
        ["KubectlOpt"] = ("kubectl-opt", ["Api", "Kubernetes"]),
        ["Torch"] = ("Opt.Torch", []),
        ["Trainer"] = ("opt-trainer", ["Api", "Torch"]),
        ["LocalCluster"] = ("opt-local", ["Kubernetes"]),
    };

    /// <summary>Is this one of ours, as opposed to a framework or package assembly?</summary>
    public static bool IsOurs(string assembly) =>
        assembly.StartsWith("Opt.", StringComparison.Ordinal) || assembly.StartsWith("opt-", StringComparison.Ordinal) || assembly.StartsWith("kubectl-opt", StringComparison.Ordinal);
}
