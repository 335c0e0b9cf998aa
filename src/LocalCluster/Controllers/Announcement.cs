using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Controllers;

/// <summary>An event about an object. <paramref name="FailedReason"/> and its message are used instead when the act it goes with is refused; <c>{0}</c> is the refusal.</summary>
internal sealed record Announcement(JsonObject About, string Type, string Reason, string Message, string? FailedReason = null, string? FailedMessage = null, string? FieldPath = null)
{
    public static Announcement Normal(JsonObject about, string reason, string message) => new(about, "Normal", reason, message);

    public static Announcement Warning(JsonObject about, string reason, string message) => new(about, "Warning", reason, message);
}
