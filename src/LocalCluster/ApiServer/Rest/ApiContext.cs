using Opt.LocalCluster.ApiServer.Admission;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>What every operation needs. One per server.</summary>
public sealed record ApiContext(ObjectStore Store, KindRegistry Kinds, TimeProvider Clock, IdSource Ids, IAdmission Admission)
{
    /// <summary>The certificate authority of the HTTPS face, as PEM.</summary>
    public string CaBundle { get; init; } = "";

    /// <summary>Answers access reviews.</summary>
    public IAuthorizer Authorizer { get; init; } = new AuthenticatedMayAll();

    /// <summary>Makes and checks service account tokens; null where there are none.</summary>
    public ServiceAccountTokens? Tokens { get; init; }

    /// <summary>Ends every watch when the server stops.</summary>
    public CancellationToken Stopping { get; init; }

    public StoredObject? Find(ResourceKind kind, string? @namespace, string name) => Store.Get(kind.StorageKey, @namespace ?? "", name);
}
