using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>A change in a cache: before is null for a new object, after is null for a deleted one.</summary>
internal readonly record struct ObjectChange(JsonObject? Before, JsonObject? After)
{
    public JsonObject Latest => After ?? Before!;
    public ObjectKey Key => Latest.Key;
}
