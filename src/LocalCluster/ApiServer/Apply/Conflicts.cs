using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>The refusal of an apply that changes what others own.</summary>
internal static class Conflicts
{
    public static ApiException Refusal(IReadOnlyList<(ManagerEntry Entry, FieldSet Fields)> conflicts)
    {
        var all = conflicts.SelectMany(c => c.Fields.Paths().Select(p => (Manager: c.Entry.Display(), Path: PathElement.Display(p)))).OrderBy(c => c.Manager, StringComparer.Ordinal).ToArray();
        var causes = all.Select(c => new JsonObject { ["reason"] = "FieldManagerConflict", ["message"] = $"conflict with {c.Manager}", ["field"] = c.Path });
        var message = all.Length == 1
            ? $"Apply failed with 1 conflict: conflict with {all[0].Manager}: {all[0].Path}"
            : $"Apply failed with {all.Length} conflicts: {string.Join("\n", all.GroupBy(c => c.Manager).SelectMany(g => g.Select(c => $"- {c.Path}").Prepend($"conflicts with {g.Key}:")))}";
        return ApiErrors.Error(409, "Conflict", message, new JsonObject { ["causes"] = new JsonArray([.. causes]) });
    }
}
