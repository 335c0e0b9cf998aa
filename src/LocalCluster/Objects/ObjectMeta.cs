using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>The metadata fields every controller asks for.</summary>
internal static class ObjectMeta
{
    extension(JsonObject o)
    {
        public string Name => o.Text("metadata", "name") ?? "";
        public string Namespace => o.Text("metadata", "namespace") ?? "";
        public string Uid => o.Text("metadata", "uid") ?? "";
        public string ResourceVersion => o.Text("metadata", "resourceVersion") ?? "";
        public long Generation => o.Number("metadata", "generation") ?? 0;
        public ObjectKey Key => new(o.Namespace, o.Name);
        public IReadOnlyDictionary<string, string> Labels => o.Map("metadata", "labels");
        public IReadOnlyDictionary<string, string> Annotations => o.Map("metadata", "annotations");
        public IEnumerable<string> Finalizers => o.Strings("metadata", "finalizers");
        public DateTimeOffset? CreationTime => o.Time("metadata", "creationTimestamp");
        public DateTimeOffset? DeletionTime => o.Time("metadata", "deletionTimestamp");
        public bool IsTerminating => o.At("metadata", "deletionTimestamp") is not null;
        public IEnumerable<OwnerReference> Owners => o.Objects("metadata", "ownerReferences").Select(OwnerReference.From);
        public OwnerReference? ControllerOwner => o.Owners.FirstOrDefault(owner => owner.IsController);
    }

    /// <summary>True for an object that a controller of this uid manages.</summary>
    public static bool IsControlledBy(this JsonObject o, string uid) => o.ControllerOwner?.Uid == uid;
}
