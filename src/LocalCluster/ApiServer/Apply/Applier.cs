using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Server-side apply: the caller says all that it wants of an object; the server merges it, and refuses what others own.</summary>
public static class Applier
{
    public static async Task<(JsonObject Item, bool Created)> ApplyAsync(ApiContext context, Target target, JsonNode? patch, WriteRequest request, CancellationToken ct)
    {
        var config = Config(target, patch, request);
        if (context.Find(target.Kind, target.Namespace, target.Name) is null)
        {
            if (target.Subresource is not null) throw ApiErrors.NotFound(target.Kind, target.Name);
            if (config.Uid().Length > 0) throw ApiErrors.Conflict(target.Kind, target.Name, $"uid mismatch: the provided object specified uid {config.Uid()}, and no existing object was found");
            var fresh = Merged(context, target, ManagedFields.Nothing(target.Kind), config, request);
            fresh.Metadata()["name"] = target.Name;
            BodyDecoder.CheckNamespace(target.Kind, fresh, target.Namespace);
            return (await Creator.CreateDecodedAsync(context, target.Kind, target.Namespace, fresh, request, ct), true);
        }

        var item = await Updater.ChangeAsync(context, target with { AppliesOwnership = true }, live => Merged(context, target, live, config, request), request, ct);
        return (item, false);
    }

    private static JsonObject Config(Target target, JsonNode? patch, WriteRequest request)
    {
        var kind = target.Kind;
        if (patch is not JsonObject config) throw ApiErrors.BadRequest("error decoding YAML: the patch must be an object");
        var (apiVersion, name) = (config.Str("apiVersion"), config.Str("kind"));
        if (apiVersion is null || name is null) throw ApiErrors.BadRequest($"Object 'Kind' is missing in '{JsonText.ToText(config)}'");
        if (apiVersion != kind.ApiVersion || name != kind.Kind) throw ApiErrors.BadRequest($"invalid object type: {apiVersion}, Kind={name}");
        if (config.Arr("metadata", "managedFields") is { Count: > 0 }) throw ApiErrors.BadRequest("metadata.managedFields must be nil");
        if (config.Name() is { Length: > 0 } given && given != target.Name) throw ApiErrors.BadRequest($"the name of the object ({given}) does not match the name on the URL ({target.Name})");
        if (config.Namespace() is { Length: > 0 } home && home != target.Namespace) throw ApiErrors.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        BodyDecoder.CheckStrict(kind, config, request);
        var named = config.Copy();
        named.Metadata()["name"] = target.Name;
        if (kind.Namespaced) named.Metadata()["namespace"] = target.Namespace;
        return named;
    }

    private static JsonObject Merged(ApiContext context, Target target, JsonObject live, JsonObject config, WriteRequest request)
    {
        var kind = target.Kind;
        try
        {
            var entries = Books(kind, live, context);
            var applied = Typed(kind, config);
            var bare = ManagedFields.Bare(live);
            var (item, books) = Apply(target, bare, applied, entries, request);
            if (item.SameAs(bare) && Settled(books, entries)) return live;
            item["apiVersion"] = kind.ApiVersion;
            item["kind"] = kind.Kind;
            var decoded = kind.Codec.Decode(item, null);
            ManagedFields.Write(decoded, Stamped(books, request.Caller.FieldManager, target.Subresource ?? "", context));
            if (config.Str("metadata", "resourceVersion") is { Length: > 0 } version) decoded.Metadata()["resourceVersion"] = version;
            return decoded;
        }
        catch (ApplyException e)
        {
            throw ApiErrors.Error(500, "", $"failed to create typed patch object ({target.Namespace}/{target.Name}; {kind.ApiVersion}, Kind={kind.Kind}): {e.Message}", null);
        }
        catch (DecodeException e)
        {
            throw ApiErrors.BadRequest($"{kind.Kind} in version \"{kind.Version}\" cannot be handled as a {kind.Kind}: {e.Message}");
        }
    }

    // What was there before anyone kept books belongs to a manager of its own.
    private static List<ManagerEntry> Books(ResourceKind kind, JsonObject live, ApiContext context)
    {
        var entries = ManagedFields.Read(live);
        if (entries.Count > 0 || live.Uid().Length == 0) return entries;
        ManagedFields.RecordUpdate(kind, null, live, "before-first-apply", null, context.Clock);
        return ManagedFields.Read(live);
    }

    private static JsonObject Typed(ResourceKind kind, JsonObject config)
    {
        var bare = ManagedFields.Bare(config);
        if (kind.Custom) return bare;
        return (JsonObject)Sparse.Of(bare, kind.Type)!;
    }

    private static (JsonObject Item, List<ManagerEntry> Books) Apply(Target target, JsonObject live, JsonObject applied, List<ManagerEntry> entries, WriteRequest request)
    {
        var (kind, subresource) = (target.Kind, target.Subresource ?? "");
        var ignored = ManagedFields.Reset(kind, target.Subresource);
        var last = entries.FirstOrDefault(e => e.Applied && e.Manager == request.Caller.FieldManager && e.Subresource == subresource);
        // While pruning, the applier's hold on the object's name keeps metadata from going as a whole.
        var mine = new ManagerEntry(request.Caller.FieldManager, true, kind.ApiVersion, subresource, last?.Time, Ownership.FieldsOf(applied, kind.Type).ExceptBelow(ignored));
        var books = entries.Where(e => e.Identity != mine.Identity).ToList();
        var merged = (JsonObject)TypedMerge.Merge(live, applied, kind.Type)!;
        if (last is not null) merged = Pruned(merged, last.Fields, [.. books, mine], kind.Type);
        Settle(live, merged, books, ignored, kind.Type, request.Force);
        mine = mine with { Fields = ManagedFields.WithoutUnowned(mine.Fields) };
        if (!mine.Fields.IsEmpty) books.Add(mine);
        return (merged, books);
    }

    // Drops what the applier owned and no longer wants, unless someone else owns it.
    private static JsonObject Pruned(JsonObject merged, FieldSet last, List<ManagerEntry> owners, TypeSchema type)
    {
        var lastNamed = Ownership.WithNamedFields(last, type);
        var pruned = Ownership.Without(merged, lastNamed, type) ?? new JsonObject();
        var owned = owners.Aggregate(FieldSet.Empty, (sum, e) => sum.Union(Ownership.WithNamedFields(e.Fields, type)));
        var all = Named(merged, type);
        var gone = all.Except(Named(pruned, type)).Except(owned);
        pruned = Ownership.Without(merged, gone, type) ?? new JsonObject();
        var dangling = all.Except(Named(pruned, type)).Intersect(lastNamed);
        return Ownership.Without(merged, dangling, type) as JsonObject ?? [];
    }

    private static FieldSet Named(JsonNode value, TypeSchema type) => Ownership.WithNamedFields(Ownership.FieldsOf(value, type), type);

    // Takes from others what the merge changed of theirs, or refuses.
    private static void Settle(JsonObject live, JsonObject merged, List<ManagerEntry> books, FieldSet ignored, TypeSchema type, bool force)
    {
        var comparison = Comparison.Of(live, merged, type).Ignoring(ignored);
        var changed = comparison.Modified.Union(comparison.Added);
        var conflicts = books.Select(e => (Entry: e, Fields: e.Fields.Intersect(changed))).Where(c => !c.Fields.IsEmpty).ToArray();
        if (!force && conflicts.Length > 0) throw Conflicts.Refusal(conflicts);
        for (var i = books.Count - 1; i >= 0; i--)
        {
            books[i] = books[i] with { Fields = books[i].Fields.Except(changed).Except(comparison.Removed) };
            if (books[i].Fields.IsEmpty) books.RemoveAt(i);
        }
    }

    private static bool Settled(List<ManagerEntry> books, List<ManagerEntry> before) =>
        books.Count == before.Count && books.All(b => before.Any(o => o.Identity == b.Identity && o.ApiVersion == b.ApiVersion && o.Fields.SetEquals(b.Fields)));

    private static List<ManagerEntry> Stamped(List<ManagerEntry> books, string manager, string subresource, ApiContext context)
    {
        var now = Scalars.Time(context.Clock.GetUtcNow());
        return [.. books.Select(b => b.Applied && b.Manager == manager && b.Subresource == subresource ? b with { Time = now } : b)];
    }
}
