using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>What follows a write of a CRD: its names are accepted and it is established, or, when it is going, its objects go first.</summary>
internal static class CrdLifecycle
{
    private static readonly Caller Server = new("system:apiserver", "kube-apiserver", ["system:masters"]);

    public static async Task AdvanceAsync(ApiContext context, JsonObject crd, CancellationToken ct)
    {
        if (crd.IsDeleting()) await FinishAsync(context, crd, ct);
        else await AcceptAsync(context, crd, ct);
        context.Kinds.NotifyChanged();
    }

    public static bool IsEstablished(JsonObject crd) => crd.Items("status", "conditions").Any(c => c.Str("type") == "Established" && c.Str("status") == "True");

    public static void SetCondition(JsonObject status, string type, string reason, string message, DateTimeOffset now, string value = "True")
    {
        var conditions = status["conditions"] as JsonArray ?? [];
        var old = conditions.FirstOrDefault(c => c.Str("type") == type);
        var since = old.Str("status") == value ? old.Str("lastTransitionTime")! : Scalars.Time(now);
        var next = new JsonObject { ["type"] = type, ["status"] = value, ["lastTransitionTime"] = since, ["reason"] = reason, ["message"] = message };
        if (old is null) conditions.Add(next);
        else conditions[conditions.IndexOf(old)] = next;
        status["conditions"] = conditions;
    }

    private static async Task AcceptAsync(ApiContext context, JsonObject crd, CancellationToken ct)
    {
        if (IsEstablished(crd) && crd.At("status", "acceptedNames").SameAs(crd.At("spec", "names"))) return;
        var conflict = Conflict(context, crd);
        await Updater.ChangeAsync(context, new Target(Kind(context), null, crd.Name(), "status"), current =>
        {
            var (status, now) = (current.Ensure("status"), context.Clock.GetUtcNow());
            if (conflict is not null)
            {
                SetCondition(status, "NamesAccepted", "NameConflict", conflict, now, "False");
                SetCondition(status, "Established", "NotAccepted", "not all names are accepted", now, "False");
                return current;
            }

            status["acceptedNames"] = current.At("spec", "names")!.DeepClone();
            SetCondition(status, "NamesAccepted", "NoConflicts", "no conflicts found", now);
            SetCondition(status, "Established", "InitialNamesAccepted", "the initial names have been accepted", now);
            return current;
        }, new WriteRequest(Server), ct);
    }

    private static string? Conflict(ApiContext context, JsonObject crd)
    {
        var (group, plural, kind) = (crd.Str("spec", "group"), crd.Str("spec", "names", "plural"), crd.Str("spec", "names", "kind"));
        var others = context.Kinds.All.Where(k => k.Custom && k.Group == group && $"{k.Plural}.{k.Group}" != crd.Name()).ToArray();
        if (others.Any(k => k.Plural == plural || k.ShortNames.Contains(plural))) return $"\"{plural}\" is already in use";
        return others.Any(k => k.Kind == kind || k.ListKind == kind) ? $"\"{kind}\" is already in use" : null;
    }

    private static async Task FinishAsync(ApiContext context, JsonObject crd, CancellationToken ct)
    {
        var request = new WriteRequest(Server);
        var storage = $"{crd.Str("spec", "group")}/{crd.Str("spec", "names", "plural")}";
        if (CustomKinds.From(crd).FirstOrDefault() is { } instances)
        {
            await Deleter.DeleteCollectionAsync(context, instances, context.Store.List(storage, null).Objects, new DeleteOptions(), request, ct);
        }

        if (context.Store.List(storage, null).Objects.Count > 0) return;   // their finalizers hold it; the controller comes back
        if (context.Find(Kind(context), null, crd.Name()) is not { } stored || !stored.ToTree().IsDeleting()) return;
        await RemoveFinalizerAsync(context, crd.Name(), request, ct);
    }

    private static async Task RemoveFinalizerAsync(ApiContext context, string name, WriteRequest request, CancellationToken ct)
    {
        try
        {
            await RemoveAsync(context, name, request, ct);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            // The controller and the deletion itself may both get here; one of them was first.
        }
    }

    private static Task<JsonObject> RemoveAsync(ApiContext context, string name, WriteRequest request, CancellationToken ct) =>
        Updater.ChangeAsync(context, new Target(Kind(context), null, name), current =>
        {
            var kept = current.At("metadata").Strings("finalizers").Where(f => f != CrdRules.CleanupFinalizer);
            current.Metadata()["finalizers"] = new JsonArray([.. kept.Select(f => JsonValue.Create(f))]);
            return current;
        }, request, ct);

    private static ResourceKind Kind(ApiContext context) => context.Kinds.Find("apiextensions.k8s.io", "v1", "customresourcedefinitions")!;
}
