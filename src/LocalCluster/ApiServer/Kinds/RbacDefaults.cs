using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Defaults of role bindings: the API groups of the role and of the subjects.</summary>
internal static class RbacDefaults
{
    private const string Group = "rbac.authorization.k8s.io";

    public static void Fill(JsonObject item)
    {
        if (item["roleRef"] is JsonObject role && role.Str("apiGroup") is null or "") item["roleRef"]!["apiGroup"] = Group;
        foreach (var subject in item.Items("subjects"))
        {
            if (subject.Str("apiGroup") is not (null or "")) continue;
            if (subject.Str("kind") is "User" or "Group") subject["apiGroup"] = Group;
        }
    }
}
