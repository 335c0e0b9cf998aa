using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>GET of one object and of lists, with selectors and pages.</summary>
public static class Reader
{
    public static StoredObject Get(ApiContext context, ResourceKind kind, string? @namespace, string name) =>
        context.Find(kind, @namespace, name) ?? throw ApiErrors.NotFound(kind, name);

    /// <summary>Parses selectors and refuses fields that the kind does not select by.</summary>
    public static Selection Select(ResourceKind kind, string? labels, string? fields)
    {
        try
        {
            var selection = new Selection(LabelSelector.Parse(labels), FieldSelector.Parse(fields));
            var known = KnownFields(kind);
            foreach (var requirement in selection.Fields.Requirements.Where(r => !known.Contains(r.Field)))
            {
                throw ApiErrors.BadRequest(Unknown(kind, requirement.Field, known));
            }

            return selection;
        }
        catch (SelectorException e)
        {
            throw ApiErrors.BadRequest(e.Message);
        }
    }

    public static Page List(ApiContext context, ResourceKind kind, string? @namespace, Selection selection, int limit = 0, string? continueToken = null, string? resourceVersion = null, bool exact = false)
    {
        var token = continueToken is { Length: > 0 } ? ContinueToken.Parse(continueToken) : null;
        var snapshot = exact ? Exactly(context, kind, @namespace, resourceVersion!) : Snapshot(context, kind, @namespace, token, resourceVersion);
        var items = new List<StoredObject>();
        var rest = 0;
        StoredObject? last = null;
        foreach (var item in snapshot.Objects)
        {
            if (token is not null && string.CompareOrdinal(item.Key, token.After) <= 0) continue;
            if (limit > 0 && items.Count == limit)
            {
                rest++;
                continue;
            }

            if (!selection.Matches(item)) continue;
            items.Add(item);
            last = item;
        }

        if (rest == 0) return new Page(items, snapshot.ResourceVersion, null, null);
        // With a selector the count of what remains is unknown until it is read.
        return new Page(items, snapshot.ResourceVersion, new ContinueToken(snapshot.ResourceVersion, last!.Key).ToString(), selection.IsAll ? rest : null);
    }

    private static StoreSnapshot Snapshot(ApiContext context, ResourceKind kind, string? @namespace, ContinueToken? token, string? resourceVersion)
    {
        var now = context.Store.List(kind.StorageKey, @namespace);
        if (resourceVersion is { Length: > 0 } and not "0") RequireReached(resourceVersion, now.ResourceVersion);
        if (token is null || token.ResourceVersion == now.ResourceVersion) return now;
        try
        {
            return context.Store.ListAt(kind.StorageKey, @namespace, token.ResourceVersion);
        }
        catch (CompactedException)
        {
            throw ApiErrors.Expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.");
        }
    }

    private static StoreSnapshot Exactly(ApiContext context, ResourceKind kind, string? @namespace, string resourceVersion)
    {
        var version = RequireReached(resourceVersion, context.Store.List(kind.StorageKey, @namespace).ResourceVersion);
        try
        {
            return context.Store.ListAt(kind.StorageKey, @namespace, version);
        }
        catch (CompactedException)
        {
            throw ApiErrors.Expired($"The resourceVersion for the provided list is too old.");
        }
    }

    /// <exception cref="ApiException">The version does not parse, or lies in the future.</exception>
    public static long RequireReached(string resourceVersion, long current)
    {
        var asked = ParseVersion(resourceVersion);
        if (asked <= current) return asked;
        throw ApiErrors.Error(504, "Timeout", $"Too large resource version: {asked}, current: {current}",
            new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }), ["retryAfterSeconds"] = 1 });
    }

    public static long ParseVersion(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version
        : throw ApiErrors.Error(500, "", $"resourceVersion: Invalid value: {JsonText.ToText(text)}: strconv.ParseUint: parsing {JsonText.ToText(text)}: invalid syntax", null);

    // Kinds that select by fields of their own, and custom ones, say less than those that take the general rule.
    private static string Unknown(ResourceKind kind, string field, List<string> known) => kind.Custom || kind.Rules.SelectableFields.Count > 0
        ? $"field label not supported: {field}"
        : $"\"{field}\" is not a known field selector: only {string.Join(", ", known.Select(f => $"\"{f}\""))}";

    private static List<string> KnownFields(ResourceKind kind) =>
        kind.Namespaced ? ["metadata.name", "metadata.namespace", .. kind.Rules.SelectableFields] : ["metadata.name", .. kind.Rules.SelectableFields];
}

/// <summary>One page of a list.</summary>
public sealed record Page(IReadOnlyList<StoredObject> Items, long ResourceVersion, string? Continue, int? Remaining);

/// <summary>Where a list goes on: after a key, as of a version.</summary>
public sealed record ContinueToken(long ResourceVersion, string After)
{
    /// <exception cref="ApiException">The token is not one of ours.</exception>
    public static ContinueToken Parse(string text)
    {
        byte[] bytes;
        try
        {
            bytes = Convert.FromBase64String(text.Replace('-', '+').Replace('_', '/').PadRight((text.Length + 3) / 4 * 4, '='));
        }
        catch (FormatException)
        {
            throw ApiErrors.BadRequest($"invalid continue token: continue key is not valid: illegal base64 data at input byte {Schema.Scalars.IllegalAt(text)}");
        }

        try
        {
            var token = JsonText.Parse(bytes);
            if (token.Long("rv") is { } version && token.Str("start") is { } start) return new ContinueToken(version, start.TrimEnd('\0'));
        }
        catch (System.Text.Json.JsonException)
        {
            // Falls through to the one refusal below: what does not parse is as wrong as what lacks its parts.
        }

        throw ApiErrors.BadRequest("invalid continue token: continue key is not valid: unrecognized encoded start key");
    }

    public override string ToString()
    {
        var token = new JsonObject { ["v"] = "meta.k8s.io/v1", ["rv"] = ResourceVersion, ["start"] = After + "\0" };
        return Convert.ToBase64String(Encoding.UTF8.GetBytes(token.ToJsonString())).TrimEnd('=').Replace('+', '-').Replace('/', '_');
    }
}
