using System.Runtime.InteropServices;

namespace Opt.Torch.Interop;

/// <summary>Owns a c10d store.</summary>
internal sealed class StoreHandle : SafeHandle
{
    public StoreHandle(nint value) : base(0, ownsHandle: true) => SetHandle(value);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.StoreFree(handle);
        return true;
    }
}

/// <summary>Owns a process group.</summary>
internal sealed class GroupHandle : SafeHandle
{
    public GroupHandle(nint value) : base(0, ownsHandle: true) => SetHandle(value);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.GroupFree(handle);
        return true;
    }
}

/// <summary>Owns a collective under way, and with it references to the tensors it reads and writes.</summary>
internal sealed class WorkHandle : SafeHandle
{
    public WorkHandle(nint value) : base(0, ownsHandle: true) => SetHandle(value);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.WorkFree(handle);
        return true;
    }
}
