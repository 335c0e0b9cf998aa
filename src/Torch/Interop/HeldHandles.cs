using static Opt.Torch.torch;

namespace Opt.Torch.Interop;

/// <summary>Raw handles of a list of tensors, each held by a reference until disposal.</summary>
internal readonly ref struct HeldHandles
{
    private readonly IReadOnlyList<Tensor>? _tensors;

    public HeldHandles(IReadOnlyList<Tensor>? tensors)
    {
        _tensors = tensors;
        Values = tensors is null ? [] : new nint[tensors.Count];
        for (var i = 0; i < Values.Length; i++)
        {
            Values[i] = Hold(i);
        }
    }

    public nint[] Values { get; }

    public void Dispose() => Release(Values.Length);

    private nint Hold(int index)
    {
        var added = false;
        try
        {
            _tensors![index].DangerousAddRef(ref added);
            return _tensors[index].DangerousGetHandle();
        }
        catch
        {
            Release(index);
            throw;
        }
    }

    private void Release(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _tensors![i].DangerousRelease();
        }
    }
}
