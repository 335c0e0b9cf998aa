using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>What one manager owns through one kind of operation: an entry of <c>metadata.managedFields</c>.</summary>
internal sealed record ManagerEntry(string Manager, bool Applied, string ApiVersion, string Subresource, string? Time, FieldSet Fields)
{
    public const int MaxUpdaters = 10;

    /// <summary>Entries with the same identity are one. Appliers keep theirs when they move to another version.</summary>
    public (string, bool, string, string) Identity => (Manager, Applied, Applied ? "" : ApiVersion, Subresource);

    public static ManagerEntry? Read(JsonNode? entry)
    {
        if (entry.Str("operation") is not ("Apply" or "Update") || entry.Str("manager") is not { } manager) return null;
        return new ManagerEntry(manager, entry.Str("operation") == "Apply", entry.Str("apiVersion") ?? "", entry.Str("subresource") ?? "", entry.Str("time"), FieldSet.FromJson(entry.At("fieldsV1")));
    }

    public JsonObject Write()
    {
        var entry = new JsonObject { ["manager"] = Manager, ["operation"] = Applied ? "Apply" : "Update", ["apiVersion"] = ApiVersion };
        if (Time is not null) entry["time"] = Time;
        entry["fieldsType"] = "FieldsV1";
        entry["fieldsV1"] = Fields.ToJson();
        if (Subresource.Length > 0) entry["subresource"] = Subresource;
        return entry;
    }

    /// <summary>The manager as conflict messages name it.</summary>
    public string Display()
    {
        var name = JsonText.ToText(JsonValue.Create(Manager));
        if (Subresource.Length > 0) name += $" with subresource {JsonText.ToText(JsonValue.Create(Subresource))}";
        return Applied ? name : $"{name} using {ApiVersion}";
    }
}
