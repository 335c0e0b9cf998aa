using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>
/// What is particular to one kind on the way into the store. The base class is a kind with nothing particular; each override says one thing.
/// All methods are pure functions of their arguments except that they edit the tree they are given.
/// </summary>
public abstract class KindRules
{
    /// <summary>Fills absent fields. Runs on every decoded body and must be idempotent.</summary>
    public virtual void Default(JsonObject item)
    {
    }

    /// <summary>Clears what a creator may not set (status, generation) and sets what the server decides.</summary>
    public virtual void PrepareForCreate(JsonObject item, ApiContext context)
    {
        if (HasStatus) item.Remove("status");
        if (HasGeneration) item.Metadata()["generation"] = 1;
    }

    /// <summary>What follows at once from a write that was stored, but is no longer part of its answer.</summary>
    public virtual Task AfterWriteAsync(JsonObject item, ApiContext context, CancellationToken ct) => Task.CompletedTask;

    /// <summary>Restores what an ordinary update may not change, and raises the generation when the specification changed.</summary>
    public virtual void PrepareForUpdate(JsonObject item, JsonObject old)
    {
        if (HasStatus) Restore(item, old, "status");
        if (HasGeneration && SpecChanged(item, old)) item.Metadata()["generation"] = (old.Long("metadata", "generation") ?? 0) + 1;
    }

    /// <summary>Restores everything but status (and, of the metadata, what status writers may change).</summary>
    public virtual void PrepareForStatusUpdate(JsonObject item, JsonObject old)
    {
        Restore(item, old, "spec");
    }

    public virtual void Validate(JsonObject item, List<FieldError> errors)
    {
    }

    public virtual void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors) => Validate(item, errors);

    public virtual void ValidateStatusUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
    }

    /// <summary>Messages for the <c>Warning</c> header.</summary>
    public virtual IEnumerable<string> Warnings(JsonObject item) => [];

    /// <summary>Rule for metadata.name (and generateName).</summary>
    public virtual NameRule NameRule => NameRule.Subdomain;

    public virtual bool HasStatus => false;

    public virtual bool HasGeneration => false;

    /// <summary>Fields besides metadata.name and metadata.namespace that field selectors may name, in the order of the error message.</summary>
    public virtual IReadOnlyList<string> SelectableFields => [];

    /// <summary>Value of a selectable field; absent reads as empty.</summary>
    public virtual string Selectable(JsonObject item, string field) => item.At(field.Split('.'))?.Plain() ?? "";

    /// <summary>Updates without a resourceVersion are allowed.</summary>
    public virtual bool AllowsUnconditionalUpdate => true;

    /// <summary>PUT on a missing name creates it.</summary>
    public virtual bool CreatesOnUpdate => false;

    /// <summary>Seconds a deletion gives the object, or null where deletion is not graceful.</summary>
    public virtual long? GraceSeconds(JsonObject item, long? asked) => null;

    /// <summary>What a deletion that must wait changes besides the metadata.</summary>
    public virtual void MarkDeleting(JsonObject item, ApiContext context)
    {
    }

    /// <summary>Every deletion waits, for the server itself to clean up.</summary>
    public virtual bool WaitsForCleanup => false;

    /// <summary>A deletion that waits records its grace period, even when it is 0.</summary>
    public virtual bool MarksGracePeriod => true;

    /// <summary>A finished deletion answers with the object instead of a status.</summary>
    public virtual bool ReturnsDeletedObject => false;

    /// <summary>Finalizer that deletion without a propagationPolicy adds, or null.</summary>
    public virtual string? DefaultDeletionFinalizer => null;

    /// <summary>Fields that a write through the main resource, or through a subresource, does not own.</summary>
    public virtual IReadOnlyList<string> ResetFields(string? subresource) => subresource switch
    {
        null when HasStatus => ["status"],
        "status" => ["spec"],
        _ => [],
    };

    protected virtual bool SpecChanged(JsonObject item, JsonObject old) => !item["spec"].SameAs(old["spec"]);

    protected static void Restore(JsonObject item, JsonObject old, string member)
    {
        if (old[member] is { } there) item[member] = there.DeepClone();
        else item.Remove(member);
    }
}

/// <summary>The name syntaxes of Kubernetes.</summary>
public enum NameRule { Subdomain, Label, Path }
