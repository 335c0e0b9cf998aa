namespace Opt.LocalCluster.Kubelet;

/// <summary>The API server cannot be reached from this node.</summary>
internal sealed class NodeCutException() : Exception("the node is cut off from the API server");
