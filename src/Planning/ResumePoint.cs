using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>The checkpoint an epoch starts from: the last commit before its fence that is neither condemned nor known to be unreadable.</summary>
internal static class ResumePoint
{
    public static CheckpointSummary? Choose(Catalogue catalogue, EquatableList<string> distrusted) =>
        catalogue.Checkpoints.Where(c => c.Verdict is not HealthVerdict.Condemned && !distrusted.Contains(c.ManifestDigest)).MaxBy(c => c.Entry);
}
